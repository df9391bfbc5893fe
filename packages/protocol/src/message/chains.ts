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
  | 'neo'

interface ChainFacts {
  name: string
  /** null: the code is valid in a message, but its signatures are not taken. */
  scheme: SignatureScheme | null
  evmChainId?: number
  /** Why the scheme is not the obvious one. */
  reason?: string
}

const neverVerified =
  'The network knows the code but never verified it: messages with it were always refused as INVALID_FORMAT. ' +
  'Taking them as EVM would split us from every other node. A wallet of this chain says ETH.'

/** Every chain code a message may carry (protocol 01 §4.1), and the one place that says how each is verified. */
export const chains = {
  ETH: { name: 'Ethereum', scheme: 'evm', evmChainId: 1 },
  SOL: { name: 'Solana', scheme: 'solana' },
  AVAX: {
    name: 'Avalanche',
    scheme: 'avalanche',
    evmChainId: 43114,
    reason: 'Only X-, P- and C- addresses: the network refuses 0x addresses here. Such a wallet says ETH.',
  },
  BASE: { name: 'Base', scheme: 'evm', evmChainId: 8453 },
  ARB: { name: 'Arbitrum', scheme: 'evm', evmChainId: 42161 },
  AURORA: { name: 'Aurora', scheme: null, evmChainId: 1313161554, reason: neverVerified },
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
  NEO: {
    name: 'Neo',
    scheme: 'neo',
    reason:
      'Both forms that were ever valid: NEO 2 addresses (A…) in the scheme of their wallets, as the network did ' +
      'until 2020, and 0x addresses as EVM, as it does since.',
  },
  NULS: { name: 'NULS v1', scheme: 'nuls' },
  NULS2: { name: 'NULS v2', scheme: 'nuls2' },
  OP: { name: 'Optimism', scheme: 'evm', evmChainId: 10 },
  POL: { name: 'Polygon', scheme: 'evm', evmChainId: 137 },
  SONIC: { name: 'Sonic', scheme: 'evm', evmChainId: 146 },
  STT: { name: 'Somnia', scheme: null, evmChainId: 50312, reason: neverVerified },
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

/** The signature scheme of a chain, or null when its signatures are not taken. */
export function signatureScheme(chain: Chain): SignatureScheme | null {
  return chains[chain].scheme
}
