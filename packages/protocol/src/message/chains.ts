/** How the messages of a chain are signed (protocol 01 §4). */
export type SignatureScheme =
  | 'evm'
  | 'solana'
  | 'avalanche'
  | 'cosmos'
  | 'substrate'
  | 'tezos'
  | 'nuls'
  | 'nuls2'

interface ChainFacts {
  name: string
  /** null: the code is valid in a message, but nobody can verify its signatures. */
  scheme: SignatureScheme | null
  evmChainId?: number
}

/** Every chain code a message may carry (protocol 01 §4.1). */
export const chains = {
  ETH: { name: 'Ethereum', scheme: 'evm', evmChainId: 1 },
  SOL: { name: 'Solana', scheme: 'solana' },
  AVAX: { name: 'Avalanche', scheme: 'avalanche', evmChainId: 43114 },
  BASE: { name: 'Base', scheme: 'evm', evmChainId: 8453 },
  ARB: { name: 'Arbitrum', scheme: 'evm', evmChainId: 42161 },
  AURORA: { name: 'Aurora', scheme: null, evmChainId: 1313161554 },
  BLAST: { name: 'Blast', scheme: 'evm', evmChainId: 81457 },
  BOB: { name: 'Bob', scheme: 'evm', evmChainId: 60808 },
  BSC: { name: 'BNB chain', scheme: 'evm', evmChainId: 56 },
  CSDK: { name: 'Cosmos SDK', scheme: 'cosmos' },
  CYBER: { name: 'Cyber', scheme: 'evm', evmChainId: 7560 },
  DOT: { name: 'Polkadot', scheme: 'substrate' },
  ES: { name: 'Eclipse', scheme: 'solana' },
  ETHERLINK: { name: 'Etherlink', scheme: 'evm', evmChainId: 42793 },
  FRAX: { name: 'Fraxtal', scheme: 'evm', evmChainId: 252 },
  HYPE: { name: 'Hyperliquid EVM', scheme: 'evm', evmChainId: 999 },
  INK: { name: 'Ink', scheme: 'evm', evmChainId: 57073 },
  LENS: { name: 'Lens', scheme: 'evm', evmChainId: 232 },
  LINEA: { name: 'Linea', scheme: 'evm', evmChainId: 59144 },
  LISK: { name: 'Lisk', scheme: 'evm', evmChainId: 1135 },
  METIS: { name: 'Metis', scheme: 'evm', evmChainId: 1088 },
  MODE: { name: 'Mode', scheme: 'evm', evmChainId: 34443 },
  NEO: { name: 'Neo', scheme: 'evm' },
  NULS: { name: 'NULS v1', scheme: 'nuls' },
  NULS2: { name: 'NULS v2', scheme: 'nuls2' },
  OP: { name: 'Optimism', scheme: 'evm', evmChainId: 10 },
  POL: { name: 'Polygon', scheme: 'evm', evmChainId: 137 },
  SONIC: { name: 'Sonic', scheme: 'evm', evmChainId: 146 },
  STT: { name: 'Somnia', scheme: null, evmChainId: 50312 },
  TEZOS: { name: 'Tezos', scheme: 'tezos' },
  UNICHAIN: { name: 'Unichain', scheme: 'evm', evmChainId: 130 },
  WLD: { name: 'World Chain', scheme: 'evm', evmChainId: 480 },
  ZORA: { name: 'Zora', scheme: 'evm', evmChainId: 7777777 },
} as const satisfies Record<string, ChainFacts>

export type Chain = keyof typeof chains

export const chainCodes = Object.keys(chains) as [Chain, ...Chain[]]

/** Whether text is a chain code of the protocol, exact case. */
export function isChain(code: unknown): code is Chain {
  return typeof code === 'string' && Object.hasOwn(chains, code)
}

/** The signature scheme of a chain, or null when its signatures cannot be verified by anybody. */
export function signatureScheme(chain: Chain): SignatureScheme | null {
  return chains[chain].scheme
}
