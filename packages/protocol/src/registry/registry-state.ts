/** Fields that owners write themselves; null only where the owner wrote null. */
export interface NodeProfile {
  name: string | null
  multiaddress: string | null
  address: string | null
  picture: string | null
  banner: string | null
  description: string | null
  stream_reward: string | null
  registration_url: string | null
  terms_and_conditions: string | null
  reward: string | null
  manager: string | null
  /** A locked core node takes stakes of `authorized` only; a locked compute node cannot be linked. */
  locked: boolean
  authorized: string[]
}

interface RegisteredNode extends NodeProfile {
  /** Hash of the post that created it, for ever. */
  hash: string
  owner: string
  /** When it was created, epoch seconds. */
  time: number
  score: number
  performance: number
  decentralization: number
  scoreUpdated: boolean
  /** Height since which its score is next to nothing. */
  inactiveSince: number | null
}

export interface RegisteredCoreNode extends RegisteredNode {
  status: 'active' | 'waiting'
  /** Hashes of its compute nodes, in the order of linking. */
  resourceNodes: string[]
  /** 10⁻¹⁸ ALEPH by staker, in the precision the network publishes. */
  stakers: Map<string, number>
  totalStaked: number
  hasBonus: boolean
}

export interface RegisteredComputeNode extends RegisteredNode {
  type: string
  parent: string | null
}

/** The registry while events are applied to it (protocol 06 §2.3). Maps keep the order of creation. */
export interface RegistryState {
  coreNodes: Map<string, RegisteredCoreNode>
  computeNodes: Map<string, RegisteredComputeNode>
  /** Hash of the one core node an address may own. */
  coreNodeOf: Map<string, string>
  /** Hashes of the core nodes an address stakes on. */
  stakesOf: Map<string, string[]>
  /** Which core node has a host in its multiaddress, and which compute node in its address. */
  coreHosts: Map<string, string>
  computeHosts: Map<string, string>
  platformBalances: Map<string, Map<string, bigint>>
  /** Sums over the platforms, in 10⁻¹⁸ ALEPH. */
  balances: Map<string, bigint>
  /** Height of the last scores that counted. */
  lastScoreHeight: number | null
}

export function createRegistryState(): RegistryState {
  return {
    coreNodes: new Map(),
    computeNodes: new Map(),
    coreNodeOf: new Map(),
    stakesOf: new Map(),
    coreHosts: new Map(),
    computeHosts: new Map(),
    platformBalances: new Map(),
    balances: new Map(),
    lastScoreHeight: null,
  }
}
