import { createCipheriv, createDecipheriv, randomBytes, scrypt } from 'node:crypto'
import { promisify } from 'node:util'
import { z } from 'zod'
import { exitCodes } from '../exit-codes.ts'
import { CliError } from '../failure.ts'

const derive = promisify<string, Buffer, number, { N: number; r: number; p: number; maxmem: number }, Buffer>(
  scrypt,
)

/** scrypt cost: about a third of a second, 128 MiB. Files keep their own, within these bounds. */
const cost = { n: 2 ** 17, r: 8, p: 1 }
const maxMemoryBytes = 1024 ** 3

const hex = (bytes: number) => z.string().regex(new RegExp(`^[0-9a-f]{${bytes * 2}}$`))

export const sealedKeySchema = z.strictObject({
  kdf: z.literal('scrypt'),
  n: z
    .int()
    .min(2 ** 14)
    .max(2 ** 20),
  r: z.int().min(1).max(16),
  p: z.int().min(1).max(16),
  salt: hex(16),
  cipher: z.literal('aes-256-gcm'),
  iv: hex(12),
  tag: hex(16),
  data: hex(32),
})
export type SealedKey = z.infer<typeof sealedKeySchema>

/** Encrypts a 32-byte key with a passphrase; the address is bound to it, so that files cannot be mixed up. */
export async function sealKey(key: Uint8Array, passphrase: string, address: string): Promise<SealedKey> {
  const salt = randomBytes(16)
  const iv = randomBytes(12)
  const cipher = createCipheriv('aes-256-gcm', await secretOf(passphrase, salt, cost), iv)
  cipher.setAAD(Buffer.from(address))
  const data = Buffer.concat([cipher.update(key), cipher.final()])
  return {
    kdf: 'scrypt',
    ...cost,
    salt: salt.toString('hex'),
    cipher: 'aes-256-gcm',
    iv: iv.toString('hex'),
    tag: cipher.getAuthTag().toString('hex'),
    data: data.toString('hex'),
  }
}

/** Decrypts a key; a wrong passphrase and a damaged file look the same. */
export async function openKey(sealed: SealedKey, passphrase: string, address: string): Promise<Uint8Array> {
  const secret = await secretOf(passphrase, Buffer.from(sealed.salt, 'hex'), sealed)
  const decipher = createDecipheriv('aes-256-gcm', secret, Buffer.from(sealed.iv, 'hex'))
  decipher.setAAD(Buffer.from(address))
  decipher.setAuthTag(Buffer.from(sealed.tag, 'hex'))
  try {
    return Buffer.concat([decipher.update(Buffer.from(sealed.data, 'hex')), decipher.final()])
  } catch {
    throw new CliError('wrong_passphrase', `The passphrase does not open the key of ${address}`, {
      exitCode: exitCodes.forbidden,
      hint: 'Type it again, or check ALEPH_PASSPHRASE.',
    })
  }
}

function secretOf(passphrase: string, salt: Buffer, { n, r, p }: { n: number; r: number; p: number }) {
  return derive(passphrase.normalize('NFKC'), salt, 32, { N: n, r, p, maxmem: maxMemoryBytes * 2 })
}
