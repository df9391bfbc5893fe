import { AlephError } from '../errors.ts'

export function bytesToHex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
}

/** Reads a 32-byte secret; the message never repeats what was given. */
export function secretFromHex(hex: string): Uint8Array {
  const digits = hex.trim().replace(/^0x/i, '')
  if (!/^[0-9a-fA-F]{64}$/.test(digits)) {
    throw new AlephError('invalid_argument', 'The private key is not 32 bytes of hexadecimal', {
      hint: 'Give 64 hexadecimal digits, with or without 0x.',
    })
  }
  return Uint8Array.from(digits.match(/../g)!, (pair) => Number.parseInt(pair, 16))
}

/** Checks the length of a binary secret, or reads a textual one. */
export function secretBytes(secret: string | Uint8Array): Uint8Array {
  if (typeof secret === 'string') return secretFromHex(secret)
  if (secret.length !== 32) {
    throw new AlephError('invalid_argument', `The private key has ${secret.length} bytes`, {
      hint: 'Give exactly 32 bytes.',
    })
  }
  return secret.slice()
}
