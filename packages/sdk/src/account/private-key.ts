import { type Chain, isPrivateKey, solanaAddress } from '@aleph-ts/protocol'
import { base58 } from '@scure/base'
import { AlephError } from '../errors.ts'
import { hexToBytes } from './hex.ts'

// No error of this file repeats what was given: it may be a real key with one digit too many.

/** The 32 bytes of an Ethereum key: as they are, or from 64 hexadecimal digits with or without 0x. */
export function readEthereumKey(key: string | Uint8Array): Uint8Array {
  return readChainKey('ETH', key)
}

/** The 32 bytes of a key or seed of a chain, read as {@link readEthereumKey} does and within the chain's range. */
export function readChainKey(chain: Chain, key: string | Uint8Array): Uint8Array {
  const bytes = read32Bytes(key)
  if (isPrivateKey(chain, bytes)) return bytes
  throw new AlephError('invalid_argument', `The private key is not a key of ${chain}`, {
    hint: 'Generate a new one: this number is out of range.',
  })
}

function read32Bytes(key: string | Uint8Array): Uint8Array {
  if (typeof key !== 'string') return exactly32(key)
  const digits = key.trim().replace(/^0x/i, '')
  if (/^[0-9a-fA-F]{64}$/.test(digits)) return hexToBytes(digits)
  throw new AlephError('invalid_argument', 'The private key is not 32 bytes of hexadecimal', {
    hint: 'Give 64 hexadecimal digits, with or without 0x.',
  })
}

/**
 * The 32-byte seed of a Solana key: from the seed itself, from the 64-byte form wallets export (seed, then
 * public key), or from either as hexadecimal or base58 text.
 */
export function readSolanaKey(key: string | Uint8Array): Uint8Array {
  const bytes = typeof key === 'string' ? decodeSolanaText(key.trim()) : key
  if (bytes.length !== 64) return exactly32(bytes)
  const seed = bytes.slice(0, 32)
  if (base58.encode(bytes.subarray(32)) === solanaAddress(seed)) return seed
  throw new AlephError('invalid_argument', 'The two halves of the Solana key do not belong together', {
    hint: 'Export the key again, or give only the 32-byte seed.',
  })
}

/**
 * The Ethereum key of a BIP-39 recovery phrase. The path defaults to the first account of every Ethereum
 * wallet, `m/44'/60'/0'/0/0`.
 */
export async function readMnemonic(
  phrase: string,
  options: { path?: string; passphrase?: string } = {},
): Promise<Uint8Array> {
  const [{ validateMnemonic, mnemonicToSeed }, { wordlist }, { HDKey }] = await Promise.all([
    import('@scure/bip39'),
    import('@scure/bip39/wordlists/english.js'),
    import('@scure/bip32'),
  ])
  const words = phrase.trim().toLowerCase().split(/\s+/).join(' ')
  if (!validateMnemonic(words, wordlist)) {
    throw new AlephError('invalid_argument', 'The recovery phrase is not a valid BIP-39 phrase', {
      hint: 'Check the words and their order; English phrases of 12 to 24 words are understood.',
    })
  }
  const root = HDKey.fromMasterSeed(await mnemonicToSeed(words, options.passphrase ?? ''))
  const { privateKey } = root.derive(options.path ?? "m/44'/60'/0'/0/0")
  return privateKey!.slice()
}

function decodeSolanaText(text: string): Uint8Array {
  const digits = text.replace(/^0x/i, '')
  if (/^([0-9a-fA-F]{64}){1,2}$/.test(digits)) return hexToBytes(digits)
  try {
    return base58.decode(text)
  } catch {
    throw new AlephError('invalid_argument', 'The private key is neither hexadecimal nor base58', {
      hint: 'Give the key as your Solana wallet exports it.',
    })
  }
}

function exactly32(bytes: Uint8Array): Uint8Array {
  if (bytes.length === 32) return bytes.slice()
  throw new AlephError('invalid_argument', `The private key has ${bytes.length} bytes`, {
    hint: 'Give exactly 32 bytes.',
  })
}
