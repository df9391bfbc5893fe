import type { Chain, MessageContract } from '@aleph-ts/protocol'
import type { CoreNodeConfig } from '../config.ts'
import type { CoreNodeContext } from '../context.ts'
import type { ChainSource, FinalityPolicy } from './chain-source.ts'
import type { ContractEvent } from './contract-event.ts'
import { evmContractEvents } from './evm-contract-events.ts'
import { indexedContractEvents, isIndexed } from './indexed-contract-events.ts'
import { SolanaContractEvents } from './solana-contract-events.ts'
import { tezosContractEvents } from './tezos-contract-events.ts'

/** Name of the sync contract's stream of events. */
export const syncStream = 'sync'
/** Read up to the head: whatever a chain takes back, we take back too. */
export const evmFinality: FinalityPolicy = { headLag: 0, reorgWindow: 64 }
/** In entries of the indexer's list. */
const tezosFinality: FinalityPolicy = { headLag: 0, reorgWindow: 1_000 }
/** Only what is final is read. */
const solanaFinality: FinalityPolicy = { headLag: 0, reorgWindow: 0 }
const indexedFinality: FinalityPolicy = { headLag: 0, reorgWindow: 0 }
/** No EVM chain is older: epoch seconds, which is how what the indexer has is counted. */
const firstSecond = 1_438_214_400
/** Most seconds of them say nothing to us. */
const mostSeconds = 400_000_000
/** Slots of Solana read in one step, at most: most of them say nothing to us. */
const mostSlots = 1_000_000

/** How one contract of the profile is read. */
export interface FollowedContract {
  chain: Chain
  stream: string
  startBlock: number
  finality: FinalityPolicy
  maxRange?: number
  source: ChainSource<ContractEvent>
}

/** The contracts of the profile that this node can read, and those for which it has no endpoint. */
export function followedContracts({ config, profile }: Pick<CoreNodeContext, 'config' | 'profile'>): {
  contracts: FollowedContract[]
  unread: { chain: Chain; contract: string }[]
} {
  const contracts: FollowedContract[] = []
  const unread: { chain: Chain; contract: string }[] = []
  const { syncContract } = profile
  if (syncContract) {
    const followed = followEvm(syncContract, syncStream, config)
    if (followed) contracts.push(followed)
    else unread.push(syncContract)
  }
  for (const contract of profile.messageContracts) {
    const followed = follow(contract, config)
    if (followed) contracts.push(followed)
    else unread.push(contract)
  }
  return { contracts, unread }
}

/** Where a chain of the EVM is read; undefined when the operator named no endpoint. */
export function evmRpcUrl(config: CoreNodeConfig, chain: Chain): string | undefined {
  return config.evmRpc[chain] ?? (chain === 'ETH' ? config.ethereumRpc : undefined)
}

function follow(contract: MessageContract, config: CoreNodeConfig): FollowedContract | undefined {
  const stream = `messages/${contract.contract}`
  switch (contract.kind) {
    case 'evm':
      return followEvm({ ...contract, authorizedEmitters: [] }, stream, config)
    case 'tezos': {
      const { tezosIndexer: indexerUrl } = config
      if (!indexerUrl) return undefined
      const source = tezosContractEvents({ ...contract, indexerUrl })
      return { chain: contract.chain, stream, startBlock: 1, finality: tezosFinality, source }
    }
    case 'solana': {
      const { solanaRpc: rpcUrl } = config
      const { chain, startBlock } = contract
      if (!rpcUrl) return undefined
      const source = new SolanaContractEvents({ ...contract, rpcUrl })
      return { chain, stream, startBlock, finality: solanaFinality, maxRange: mostSlots, source }
    }
  }
}

/** A chain without an endpoint, as somebody tells it who has one. */
function followIndexed(
  { chain, contract, authorizedEmitters }: { chain: Chain; contract: string; authorizedEmitters: string[] },
  stream: string,
  { evmIndexer: indexerUrl }: CoreNodeConfig,
): FollowedContract | undefined {
  if (!indexerUrl || !isIndexed(chain)) return undefined
  return {
    chain,
    stream,
    startBlock: firstSecond,
    finality: indexedFinality,
    maxRange: mostSeconds,
    source: indexedContractEvents({ indexerUrl, chain, contract, authorizedEmitters }),
  }
}

function followEvm(
  contract: {
    chain: Chain
    evmChainId: number
    contract: string
    startBlock: number
    authorizedEmitters: string[]
  },
  stream: string,
  config: CoreNodeConfig,
): FollowedContract | undefined {
  const { chain, startBlock } = contract
  const rpcUrl = evmRpcUrl(config, chain)
  if (!rpcUrl) return followIndexed(contract, stream, config)
  return {
    chain,
    stream,
    startBlock,
    finality: evmFinality,
    source: evmContractEvents({ ...contract, rpcUrl }),
  }
}
