import {
  type Chain,
  type SignedFields,
  signSolana,
  solanaAddress,
  verificationBuffer,
} from '@aleph-ts/protocol'
import { base58 } from '@scure/base'
import type { Account } from './account.ts'
import { bytesToHex } from './hex.ts'
import { readSolanaKey } from './private-key.ts'

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
    return new SolanaAccount(readSolanaKey(privateKey), options.chain ?? 'SOL')
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
