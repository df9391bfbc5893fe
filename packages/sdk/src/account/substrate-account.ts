import { signSubstrate, substrateAddress, verificationBuffer } from '@aleph-ts/protocol'
import { AlephError } from '../errors.ts'
import { type GeneratedAccount, generateAccount, KeyAccount } from './key-account.ts'
import { readChainKey } from './private-key.ts'

export interface SubstrateAccountOptions {
  /** ss58 prefix of the network the address is written for: 42 (the default) any, 0 Polkadot, 2 Kusama. */
  network?: number
}

/**
 * An sr25519 key of Polkadot or any other Substrate chain.
 *
 * @example
 * const account = SubstrateAccount.fromSeed(process.env.SEED!, { network: 0 })
 */
export class SubstrateAccount extends KeyAccount {
  /** From the 32-byte seed ("raw seed", "mini secret"), or 64 hexadecimal digits with or without 0x. */
  static fromSeed(seed: string | Uint8Array, options: SubstrateAccountOptions = {}): SubstrateAccount {
    const bytes = readChainKey('DOT', seed)
    const address = substrateAddress(bytes, readNetwork(options.network))
    return new SubstrateAccount('DOT', address, (fields) => signSubstrate(verificationBuffer(fields), bytes))
  }

  /** A new seed from the platform's secure random source. */
  static generate(options: SubstrateAccountOptions = {}): GeneratedAccount<SubstrateAccount> {
    return generateAccount('DOT', (seed) => SubstrateAccount.fromSeed(seed, options))
  }
}

function readNetwork(network = 42): number {
  if (Number.isInteger(network) && network >= 0 && network <= 16383) return network
  throw new AlephError('invalid_argument', `network: ${network} is no ss58 prefix`, {
    hint: 'Give a number from 0 to 16383; 42 is right for any network.',
  })
}
