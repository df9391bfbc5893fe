import {
  type Chain,
  type SignedFields,
  signSolana,
  solanaAddress,
  verificationBuffer,
} from '@aleph-ts/protocol'
import { base58 } from '@scure/base'
import { AlephError } from '../errors.ts'
import type { Account } from './account.ts'
import { bytesToHex, secretBytes } from './hex.ts'

/**
 * A Solana (or Eclipse) key.
 *
 * @example
 * const account = SolanaAccount.fromPrivateKey(process.env.PHANTOM_KEY!)
 */
export class SolanaAccount implements Account {
  readonly chain: Chain
  readonly address: string
  readonly #secret: Uint8Array

  private constructor(secret: Uint8Array, chain: Chain) {
    this.#secret = secret
    this.address = solanaAddress(secret)
    this.chain = chain
  }

  /**
   * From the 32-byte seed, the 64-byte form wallets export (seed then public key), or either as hex or
   * base58 text.
   */
  static fromPrivateKey(
    privateKey: string | Uint8Array,
    options: { chain?: 'SOL' | 'ES' } = {},
  ): SolanaAccount {
    const bytes = typeof privateKey === 'string' ? secretFromText(privateKey) : privateKey
    const seed = secretBytes(bytes.length === 64 ? bytes.subarray(0, 32) : bytes)
    const account = new SolanaAccount(seed, options.chain ?? 'SOL')
    if (bytes.length === 64 && base58.encode(bytes.subarray(32)) !== account.address) {
      throw new AlephError('invalid_argument', 'The two halves of the Solana key do not belong together', {
        hint: 'Export the key again, or give only the 32-byte seed.',
      })
    }
    return account
  }

  /** A new key from the platform's secure random source; `privateKey` is the hex of its seed. */
  static generate(options: { chain?: 'SOL' | 'ES' } = {}): { account: SolanaAccount; privateKey: string } {
    const seed = globalThis.crypto.getRandomValues(new Uint8Array(32))
    return { account: SolanaAccount.fromPrivateKey(seed, options), privateKey: `0x${bytesToHex(seed)}` }
  }

  async signMessage(fields: SignedFields): Promise<string> {
    return signSolana(verificationBuffer(fields), this.#secret)
  }

  async signOperatorPayload(payload: Uint8Array): Promise<string> {
    // Compute nodes check Solana sessions over the hex text, not over the bytes (protocol 05 §4.1).
    const form = signSolana(new TextEncoder().encode(bytesToHex(payload)), this.#secret)
    const { signature } = JSON.parse(form) as { signature: string }
    return `0x${bytesToHex(base58.decode(signature))}`
  }
}

function secretFromText(text: string): Uint8Array {
  const trimmed = text.trim()
  if (/^(0x)?[0-9a-fA-F]{64}$/.test(trimmed)) return secretBytes(trimmed)
  try {
    return base58.decode(trimmed)
  } catch {
    throw new AlephError('invalid_argument', 'The private key is neither hexadecimal nor base58', {
      hint: 'Give the key as your Solana wallet exports it.',
    })
  }
}
