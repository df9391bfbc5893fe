import { neoAddress, signNeo, verificationBuffer } from '@aleph-ts/protocol'
import { type GeneratedAccount, generateAccount, KeyAccount } from './key-account.ts'
import { readChainKey } from './private-key.ts'

/** A key of NEO 2, whose messages were taken until 2020; nodes of other makes refuse new ones. */
export class NeoAccount extends KeyAccount {
  /** From 32 bytes, or 64 hexadecimal digits with or without 0x. */
  static fromPrivateKey(privateKey: string | Uint8Array): NeoAccount {
    const key = readChainKey('NEO', privateKey)
    return new NeoAccount('NEO', neoAddress(key), (fields) => signNeo(verificationBuffer(fields), key))
  }

  /** A new key from the platform's secure random source. */
  static generate(): GeneratedAccount<NeoAccount> {
    return generateAccount('NEO', (key) => NeoAccount.fromPrivateKey(key))
  }
}
