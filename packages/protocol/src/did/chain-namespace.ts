import { prefixOfCosmosAddress } from '../identity/cosmos.ts'
import { chainIdOfNulsAddress } from '../identity/nuls-address.ts'
import { decodeSs58 } from '../identity/ss58.ts'
import type { SignatureScheme } from '../message/chains.ts'

interface ChainNamespace {
  /** Before the colon of a CAIP-2 chain id. */
  namespace: string
  /** After it, for an account that may be on one of several chains; null when the account is on none we know. */
  reference(address: string): string | null
  /** Where the register of namespaces falls short, and what is done instead. */
  reason?: string
}

/** Blockchain ids of Avalanche, hashed as its namespace says. */
const avalancheChains: Record<string, string> = {
  X: 'imji8papUf2EhV3le337w1vgFauqkJg-',
  P: 'Rr9hnPVPxuUvrdCul-vjEsU1zmqKqRDo',
  C: '8aDU0Kqh-5d23op-B-r-4YbQFRbsgF9a',
}

/** Chain ids by the prefix of addresses; the register knows chain ids only. */
const cosmosChains: Record<string, string> = {
  akash: 'akashnet-2',
  axelar: 'axelar-dojo-1',
  cosmos: 'cosmoshub-4',
  juno: 'juno-1',
  osmo: 'osmosis-1',
  secret: 'secret-4',
  stars: 'stargaze-1',
}

const polkadot = '91b171bb158e2d3848fa23a9f1c25182'
const kusama = 'b0a8d493285c2df73290dfb7e61f870f'

/** The CAIP-2 chain of every account that is not of an EVM chain (those are `eip155` and their chain id). */
export const chainNamespaces: Record<Exclude<SignatureScheme, 'evm' | 'solana'>, ChainNamespace> = {
  avalanche: { namespace: 'avax', reference: (address) => avalancheChains[address.slice(0, 1)] ?? null },
  cosmos: {
    namespace: 'cosmos',
    reference: cosmosReference,
    reason:
      'An address tells its prefix, not its chain. Of a prefix we do not know, the prefix stands for the chain.',
  },
  substrate: {
    namespace: 'polkadot',
    reference: (address) => (decodeSs58(address)?.network === 2 ? kusama : polkadot),
    reason:
      'Network 42 is of any chain, and most networks have no chain of their own here: Polkadot stands for all.',
  },
  tezos: { namespace: 'tezos', reference: () => 'NetXdQprcVkpaWU' },
  neo: {
    namespace: 'neo',
    reference: () => '7630401',
    reason: 'The register has NEO 3 only, by network magic. This is the magic of the main network of NEO 2.',
  },
  nuls: {
    namespace: 'nuls',
    reference: (address) => chainIdOfNulsAddress(address)?.toString() ?? null,
    reason:
      'Nobody registered NULS. The chain id that is in every address stands for the chain: 8964 or 261.',
  },
  nuls2: {
    namespace: 'nuls',
    reference: (address) => (address.startsWith('t') ? '2' : '1'),
    reason: 'Nobody registered NULS. The chain id stands for the chain: 1, or 2 for the test network.',
  },
}

/** Genesis hashes of the chains that share the `solana` namespace, cut to 32 characters. */
export const solanaReferences = {
  SOL: '5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp',
  ES: 'EAQLJCV2mh23BsK2P9oYpV5CHVLDNHTx',
} as const

function cosmosReference(address: string): string | null {
  const prefix = prefixOfCosmosAddress(address)
  if (prefix === null) return null
  return cosmosChains[prefix] ?? (/^[-_a-z0-9]{1,32}$/.test(prefix) ? prefix : null)
}
