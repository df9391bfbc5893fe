import { generatePrivateKey, isPrivateKey } from '@aleph-ts/protocol'
import {
  type Account,
  AvalancheAccount,
  CosmosAccount,
  EthereumAccount,
  Nuls2Account,
  readEthereumKey,
  readMnemonic,
  readSolanaKey,
  SolanaAccount,
  SubstrateAccount,
  TezosAccount,
} from '@aleph-ts/sdk'
import { exitCodes } from '../exit-codes.ts'
import { CliError } from '../failure.ts'

/** Kinds of keys the tool keeps. Every EVM wallet is an `ETH` one (protocol 01 §4.1). */
export const keyChains = ['ETH', 'SOL', 'AVAX', 'CSDK', 'DOT', 'NULS2', 'TEZOS'] as const
export type KeyChain = (typeof keyChains)[number]

export interface PrivateKey {
  chain: KeyChain
  /** 32 bytes. */
  key: Uint8Array
}

/** A new key from the platform's secure random source. */
export function newPrivateKey(chain: KeyChain): PrivateKey {
  return { chain, key: generatePrivateKey(chain) }
}

/**
 * Reads a key as people have it: 64 hexadecimal digits, a recovery phrase (ETH), or what a Solana wallet exports.
 *
 * @throws {CliError | AlephError} without repeating what was given
 */
export async function readPrivateKey(text: string, asked?: KeyChain): Promise<PrivateKey> {
  const chain = asked ?? guessChain(text)
  if (chain === 'SOL') return { chain, key: readSolanaKey(text) }
  const isPhrase = /\S\s+\S/.test(text)
  if (isPhrase && chain !== 'ETH') {
    throw new CliError('unusable_key', `A recovery phrase is understood for ETH only, not for ${chain}`, {
      exitCode: exitCodes.usage,
      hint: 'Give the key as 64 hexadecimal digits.',
    })
  }
  const key = isPhrase ? await readMnemonic(text) : readEthereumKey(text)
  if (isPrivateKey(chain, key)) return { chain, key }
  throw new CliError('unusable_key', `This is no key of ${chain}: the number is out of range`, {
    exitCode: exitCodes.usage,
  })
}

function guessChain(text: string): KeyChain {
  const trimmed = text.trim()
  return /^[1-9A-HJ-NP-Za-km-z]{80,90}$/.test(trimmed) ? 'SOL' : 'ETH'
}

const accounts: Record<KeyChain, (key: Uint8Array) => Account> = {
  ETH: (key) => EthereumAccount.fromPrivateKey(key),
  SOL: (key) => SolanaAccount.fromPrivateKey(key),
  AVAX: (key) => AvalancheAccount.fromPrivateKey(key),
  CSDK: (key) => CosmosAccount.fromPrivateKey(key),
  DOT: (key) => SubstrateAccount.fromSeed(key),
  NULS2: (key) => Nuls2Account.fromPrivateKey(key),
  TEZOS: (key) => TezosAccount.fromPrivateKey(key),
}

/** The account of a key, with the commonest address of its chain. */
export function accountOfKey({ chain, key }: PrivateKey): Account {
  return accounts[chain](key)
}
