import { type Chain, generatePrivateKey, type SignedFields } from '@aleph-ts/protocol'
import { AlephError } from '../errors.ts'
import type { Account } from './account.ts'
import { bytesToHex } from './hex.ts'

/** What an account and its key come as when they are new. Keep the key: nobody can give it back. */
export interface GeneratedAccount<T> {
  account: T
  /** Hex of 32 bytes, with 0x. */
  privateKey: string
}

/** What the accounts of every chain but Ethereum and Solana have in common: a key in memory and a way to sign. */
export abstract class KeyAccount implements Account {
  readonly chain: Chain
  readonly address: string
  readonly #sign: (fields: SignedFields) => string

  protected constructor(chain: Chain, address: string, sign: (fields: SignedFields) => string) {
    this.chain = chain
    this.address = address
    this.#sign = sign
  }

  async signMessage(fields: SignedFields): Promise<string> {
    return this.#sign(fields)
  }

  async signOperatorPayload(): Promise<string> {
    throw new AlephError('invalid_argument', `Compute nodes take no sessions of ${this.chain} accounts`, {
      hint: 'Operate VMs with an Ethereum or Solana account that the owner has authorised.',
    })
  }
}

/** A new key of a chain, and the account that `fromPrivateKey` makes of it. */
export function generateAccount<T>(
  chain: Chain,
  fromPrivateKey: (key: Uint8Array) => T,
): GeneratedAccount<T> {
  const key = generatePrivateKey(chain)
  return { account: fromPrivateKey(key), privateKey: `0x${bytesToHex(key)}` }
}
