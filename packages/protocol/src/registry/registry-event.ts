/** Where an event stands in the one order of all of them (protocol 06 §2.2). */
export interface RegistryPlace {
  /** Ethereum block: of the transfer, or of the message's first confirmation. */
  height: number
  /** `content.time` of the message, epoch seconds; 0 for balances. */
  time: number
  /** Empty for balances. */
  itemHash: string
}

/** New balances of one platform: the token's transfers (`ETH`), or a `balances-update` post of another. */
export interface BalanceEvent extends RegistryPlace {
  kind: 'balances'
  platform: string
  /** In 10⁻¹⁸ ALEPH, by address as written. */
  balances: ReadonlyMap<string, bigint>
  /** `replace`: addresses that are absent have nothing (any more); `move`: what comes or goes, not what is there then. */
  mode: 'change' | 'replace' | 'move'
}

export const registryActions = [
  'create-node',
  'create-resource-node',
  'link',
  'unlink',
  'drop-node',
  'stake',
  'stake-split',
  'unstake',
  'amend',
] as const
export type RegistryAction = (typeof registryActions)[number]

/** A `corechan-operation` post, or an amend of one. */
export interface OperationEvent extends RegistryPlace {
  kind: 'operation'
  action: RegistryAction
  /** `content.address`: who acts; a delegate acts for the owner. */
  address: string
  /** The node it is about; null for creations. */
  ref: string | null
  details: Readonly<Record<string, unknown>>
}

export interface NodeScore {
  nodeId: string
  /** 0 to 1. */
  totalScore: number
  performance: number
  decentralization: number
}

/** An `aleph-scoring-scores` post of a believed sender. */
export interface ScoreEvent extends RegistryPlace {
  kind: 'scores'
  coreNodes: readonly NodeScore[]
  computeNodes: readonly NodeScore[]
}

export type RegistryEvent = BalanceEvent | OperationEvent | ScoreEvent

/** Sorts by height; within a block balances come first, then messages by (time, hash). */
export function compareRegistryEvents(a: RegistryEvent, b: RegistryEvent): number {
  if (a.height !== b.height) return a.height - b.height
  const [first, second] = [rankOf(a), rankOf(b)]
  if (first !== second) return first - second
  if (a.time !== b.time) return a.time - b.time
  return a.itemHash < b.itemHash ? -1 : a.itemHash > b.itemHash ? 1 : 0
}

function rankOf({ kind }: RegistryEvent): number {
  return kind === 'balances' ? 0 : 1
}
