import {
  type Nuls2Network,
  nuls2Address,
  nulsAddress,
  signNuls,
  signNuls2,
  verificationBuffer,
} from '@aleph-ts/protocol'
import { type GeneratedAccount, generateAccount, KeyAccount } from './key-account.ts'
import { readChainKey } from './private-key.ts'

/**
 * A NULS 2 key.
 *
 * @example
 * const account = Nuls2Account.fromPrivateKey(process.env.KEY!)
 */
export class Nuls2Account extends KeyAccount {
  /** From 32 bytes, or 64 hexadecimal digits with or without 0x; `network` is `main` unless given. */
  static fromPrivateKey(
    privateKey: string | Uint8Array,
    options: { network?: Nuls2Network } = {},
  ): Nuls2Account {
    const key = readChainKey('NULS2', privateKey)
    return new Nuls2Account('NULS2', nuls2Address(key, options.network), (fields) =>
      signNuls2(verificationBuffer(fields), key),
    )
  }

  /** A new key from the platform's secure random source. */
  static generate(options: { network?: Nuls2Network } = {}): GeneratedAccount<Nuls2Account> {
    return generateAccount('NULS2', (key) => Nuls2Account.fromPrivateKey(key, options))
  }
}

/** A key of NULS 1, for those who still own something there; new accounts are better made on another chain. */
export class NulsAccount extends KeyAccount {
  /** From 32 bytes, or 64 hexadecimal digits with or without 0x; `chainId` is 8964 unless given. */
  static fromPrivateKey(privateKey: string | Uint8Array, options: { chainId?: number } = {}): NulsAccount {
    const key = readChainKey('NULS', privateKey)
    return new NulsAccount('NULS', nulsAddress(key, options.chainId), (fields) =>
      signNuls(verificationBuffer(fields), key),
    )
  }

  /** A new key from the platform's secure random source. */
  static generate(options: { chainId?: number } = {}): GeneratedAccount<NulsAccount> {
    return generateAccount('NULS', (key) => NulsAccount.fromPrivateKey(key, options))
  }
}
