import { type AvalancheChain, avalancheAddress, signAvalanche, verificationBuffer } from '@aleph-ts/protocol'
import { type GeneratedAccount, generateAccount, KeyAccount } from './key-account.ts'
import { readChainKey } from './private-key.ts'

export interface AvalancheAccountOptions {
  /** Which chain's address to speak as: `X` (the default), `P` or `C`. 0x addresses are `EthereumAccount`s. */
  addressOn?: AvalancheChain
}

/**
 * An Avalanche key with an address of the X, P or C chain.
 *
 * @example
 * const account = AvalancheAccount.fromPrivateKey(process.env.KEY!, { addressOn: 'P' })
 */
export class AvalancheAccount extends KeyAccount {
  /** From 32 bytes, or 64 hexadecimal digits with or without 0x. */
  static fromPrivateKey(
    privateKey: string | Uint8Array,
    options: AvalancheAccountOptions = {},
  ): AvalancheAccount {
    const key = readChainKey('AVAX', privateKey)
    return new AvalancheAccount('AVAX', avalancheAddress(key, options.addressOn), (fields) =>
      signAvalanche(verificationBuffer(fields), key),
    )
  }

  /** A new key from the platform's secure random source. */
  static generate(options: AvalancheAccountOptions = {}): GeneratedAccount<AvalancheAccount> {
    return generateAccount('AVAX', (key) => AvalancheAccount.fromPrivateKey(key, options))
  }
}
