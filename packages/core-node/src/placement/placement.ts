import { type Allocation, addressKey, allocationsKey, type CorechannelAggregate } from '@aleph-ts/protocol'
import type { CoreNodeContext } from '../context.ts'
import type { CoreEventMap, ProcessedMessage } from '../events.ts'
import { peerIdOf } from '../gossip/peer-address.ts'
import type { Registry } from '../registry/registry.ts'
import { ClaimPublisher } from './claim-publisher.ts'
import { loadAllocations, ownClaims, validClaims, withChanges } from './claims.ts'
import { type Assignment, type Plan, plan } from './plan.ts'
import { type NodePlan, PlanPusher, type PlanPusherOptions, planListOf } from './plan-pusher.ts'
import { loadWorkloads, workloadTypes } from './workloads.ts'

export type PlacementContext = Pick<
  CoreNodeContext,
  'pool' | 'profile' | 'events' | 'inbox' | 'operatorKey' | 'logger'
>

export interface PlacementOptions {
  registry: Registry
  /** This node's libp2p id, which tells it apart from others of the same owner. */
  peerId: string
  pusher?: Partial<Omit<PlanPusherOptions, 'operatorKey' | 'logger'>>
}

/** Many messages in a row change the plan once, ms. */
const settleMs = 10
/** Turns pass with time alone, ms. */
const periodMs = 15_000
/** A change we sent counts as made until it is processed, for this long, seconds. */
const changePatienceSeconds = 60

/**
 * Places workloads on compute nodes: watches the state, claims what is this node's turn, and tells its compute nodes
 * what to run (protocol 06 §8).
 */
export class Placement {
  readonly #context: PlacementContext
  readonly #options: PlacementOptions
  readonly #claims: ClaimPublisher
  readonly #pusher: PlanPusher
  /** Changes we published that the state may not show yet. */
  readonly #sent = new Map<string, { change: Allocation | null; at: number }>()
  readonly #homelessSince = new Map<string, number>()
  #plan: Plan = { assignments: new Map(), changes: new Map(), homeless: new Map() }
  #synced = false
  #stopped = false
  #timer: NodeJS.Timeout | undefined
  #round: Promise<void> | undefined
  #again = false

  private constructor(context: PlacementContext, options: PlacementOptions) {
    this.#context = context
    this.#options = options
    this.#claims = new ClaimPublisher(context)
    const { operatorKey, logger } = context
    this.#pusher = new PlanPusher({ operatorKey, logger, ...options.pusher })
  }

  static create(context: PlacementContext, options: PlacementOptions): Placement {
    return new Placement(context, options)
  }

  /**
   * Watches at once, but neither claims nor tells compute nodes anything before `synced` resolves: an old state would
   * stop what runs.
   */
  async start(synced: Promise<void>): Promise<void> {
    const { events } = this.#context
    events.on('processed', this.#onProcessed)
    events.on('forgotten', this.#onForgotten)
    this.#options.registry.onChange(() => this.#wake(settleMs))
    void synced.then(() => {
      this.#synced = true
      this.#wake(0)
    })
    this.#wake(0)
  }

  async stop(): Promise<void> {
    this.#stopped = true
    clearTimeout(this.#timer)
    this.#context.events.off('processed', this.#onProcessed)
    this.#context.events.off('forgotten', this.#onForgotten)
    await this.#round
    await this.#pusher.stop()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }

  /** Where a workload runs, or undefined while it has no place. */
  assignmentOf(vmHash: string): Assignment | undefined {
    return this.#plan.assignments.get(vmHash)
  }

  /** All assignments of the network. */
  assignments(): Iterable<Assignment> {
    return this.#plan.assignments.values()
  }

  /** Why a workload has no place: for each reason how many compute nodes failed on it; undefined when it has one. */
  homelessReasons(vmHash: string): Record<string, number> | undefined {
    return this.#plan.homeless.get(vmHash)
  }

  get corechannel(): CorechannelAggregate | null {
    return this.#options.registry.corechannel
  }

  readonly #onProcessed = (batch: ProcessedMessage[]): void => {
    const matters = batch.some(
      ({ type, content }) =>
        workloadTypes.includes(type) ||
        (type === 'AGGREGATE' && (content as { key?: unknown } | null)?.key === allocationsKey),
    )
    if (matters) this.#wake(settleMs)
  }

  readonly #onForgotten = (batch: CoreEventMap['forgotten'][0]): void => {
    if (batch.some(({ type }) => workloadTypes.includes(type) || type === 'AGGREGATE')) this.#wake(settleMs)
  }

  #wake(delayMs: number): void {
    if (this.#stopped) return
    if (this.#round) {
      this.#again = true
      return
    }
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => {
      this.#again = false
      this.#round = this.#replan().finally(() => {
        this.#round = undefined
        this.#wake(this.#again ? settleMs : periodMs)
      })
    }, delayMs)
  }

  async #replan(): Promise<void> {
    const { corechannel } = this.#options.registry
    if (!corechannel) return
    try {
      const next = await this.#decide(corechannel)
      // Changes count only once they are safe in our inbox.
      if (next.changes.size > 0 && this.#synced) await this.#publish(next)
      else for (const vmHash of next.changes.keys()) next.assignments.delete(vmHash)
      this.#plan = next
      if (this.#synced) this.#pusher.setPlans(this.#nodePlans(corechannel))
    } catch (error) {
      this.#context.logger.warn({ err: error }, 'placement could not be decided; trying again')
    }
  }

  async #decide(corechannel: CorechannelAggregate): Promise<Plan> {
    const { pool, operatorKey } = this.#context
    const now = Date.now() / 1000
    const [workloads, stored] = await Promise.all([
      loadWorkloads(pool),
      loadAllocations(pool, [
        ...new Set([...corechannel.nodes.map((node) => node.owner), operatorKey.address]),
      ]),
    ])
    this.#dropProcessedChanges(ownClaims(stored, operatorKey.address), now)
    const changes = [...this.#sent].map(([vmHash, { change }]): [string, Allocation | null] => [
      vmHash,
      change,
    ])
    const aggregates = withChanges(stored, operatorKey.address, changes)
    const next = plan({
      workloads,
      corechannel,
      claims: validClaims(aggregates, corechannel),
      self: this.#self(corechannel),
      published: ownClaims(aggregates, operatorKey.address),
      homelessSince: (vmHash) => this.#homelessSince.get(vmHash) ?? now,
      now,
    })
    for (const vmHash of this.#homelessSince.keys()) {
      if (!next.homeless.has(vmHash)) this.#homelessSince.delete(vmHash)
    }
    for (const vmHash of next.homeless.keys()) {
      if (!this.#homelessSince.has(vmHash)) this.#homelessSince.set(vmHash, now)
    }
    return next
  }

  #dropProcessedChanges(published: Map<string, unknown>, now: number): void {
    for (const [vmHash, { change, at }] of this.#sent) {
      const shown = published.get(vmHash) as Partial<Allocation> | undefined
      const processed = change ? shown?.node === change.node && shown.since === change.since : !shown
      if (processed || now - at > changePatienceSeconds) this.#sent.delete(vmHash)
    }
  }

  async #publish({ changes, assignments }: Plan): Promise<void> {
    await this.#claims.publish(changes)
    const at = Date.now() / 1000
    for (const [vmHash, change] of changes) {
      this.#sent.set(vmHash, { change, at })
      const node = assignments.get(vmHash)?.computeNode
      this.#context.logger.info({ vm: vmHash, node }, change ? 'claimed a VM' : 'released a VM')
    }
  }

  /** The registered core node that this process is. */
  #self(corechannel: CorechannelAggregate): string | null {
    const owner = addressKey('ETH', this.#context.operatorKey.address)
    const owned = corechannel.nodes.filter((node) => addressKey('ETH', node.owner) === owner)
    const byPeerId = owned.find((node) => peerIdOf(node.multiaddress) === this.#options.peerId)
    return (byPeerId ?? (owned.length === 1 ? owned[0] : undefined))?.hash ?? null
  }

  /** The whole plan of each of our own compute nodes that can be reached, by its URL. */
  #nodePlans(corechannel: CorechannelAggregate): Map<string, NodePlan> {
    const self = this.#self(corechannel)
    const plans = new Map<string, NodePlan>()
    const planOf = new Map<string, NodePlan>()
    for (const node of corechannel.resource_nodes) {
      if (self === null || node.parent !== self || !/^https?:\/\//.test(node.address)) continue
      const empty: NodePlan = { persistent_vms: [], instances: [], on_demand_vms: [], v_programs: [] }
      plans.set(node.address, empty)
      planOf.set(node.hash, empty)
    }
    for (const { workload, computeNode } of this.#plan.assignments.values()) {
      planOf.get(computeNode)?.[planListOf[workload.kind]].push(workload.hash)
    }
    return plans
  }
}
