import {
  type Account,
  EthereumAccount,
  readEthereumKey,
  readMnemonic,
  readSolanaKey,
  SolanaAccount,
} from '@aleph-ts/sdk'

/** Kinds of keys the tool keeps. Every EVM wallet is an `ETH` one (protocol 01 §4.1). */
export type KeyChain = 'ETH' | 'SOL'

export interface PrivateKey {
  chain: KeyChain
  /** 32 bytes. */
  key: Uint8Array
}

/** Reads a key as people have it: hexadecimal, a recovery phrase (ETH), or what a Solana wallet exports. */
export async function readPrivateKey(text: string, asked?: KeyChain): Promise<PrivateKey> {
  const chain = asked ?? guessChain(text)
  if (chain === 'SOL') return { chain, key: readSolanaKey(text) }
  const isPhrase = /\S\s+\S/.test(text)
  return { chain, key: isPhrase ? await readMnemonic(text) : readEthereumKey(text) }
}

function guessChain(text: string): KeyChain {
  const trimmed = text.trim()
  return /^[1-9A-HJ-NP-Za-km-z]{80,90}$/.test(trimmed) ? 'SOL' : 'ETH'
}

export function accountOfKey({ chain, key }: PrivateKey): Account {
  return chain === 'SOL' ? SolanaAccount.fromPrivateKey(key) : EthereumAccount.fromPrivateKey(key)
}
