import { cosmosAddress, signCosmos, verificationBuffer } from '@aleph-ts/protocol'
import { AlephError } from '../errors.ts'
import { type GeneratedAccount, generateAccount, KeyAccount } from './key-account.ts'
import { readChainKey } from './private-key.ts'

export interface CosmosAccountOptions {
  /** What addresses of the chain begin with: `cosmos` (the default), `osmo`, … */
  prefix?: string
}

/**
 * A key of any Cosmos SDK chain with secp256k1 accounts.
 *
 * @example
 * const key = await readMnemonic(phrase, { path: "m/44'/118'/0'/0/0" })
 * const account = CosmosAccount.fromPrivateKey(key, { prefix: 'osmo' })
 */
export class CosmosAccount extends KeyAccount {
  /** From 32 bytes, or 64 hexadecimal digits with or without 0x. */
  static fromPrivateKey(privateKey: string | Uint8Array, options: CosmosAccountOptions = {}): CosmosAccount {
    const key = readChainKey('CSDK', privateKey)
    const address = cosmosAddress(key, readPrefix(options.prefix))
    return new CosmosAccount('CSDK', address, (fields) =>
      signCosmos(verificationBuffer(fields), key, fields.sender),
    )
  }

  /** A new key from the platform's secure random source. */
  static generate(options: CosmosAccountOptions = {}): GeneratedAccount<CosmosAccount> {
    return generateAccount('CSDK', (key) => CosmosAccount.fromPrivateKey(key, options))
  }
}

function readPrefix(prefix = 'cosmos'): string {
  if (/^[a-z][a-z02-9]{0,31}$/.test(prefix)) return prefix
  throw new AlephError('invalid_argument', `prefix: "${prefix.slice(0, 40)}" cannot begin an address`, {
    hint: 'Give what addresses of the chain have before their first 1, such as cosmos or osmo.',
  })
}
