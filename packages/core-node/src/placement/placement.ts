import { CapacityLedger, type ComputeNode, type CorechannelAggregate } from '@aleph-ts/protocol'
import { type ArrivalSituation, Arrivals } from './arrivals.ts'
import { isRefused } from './capacity-check.ts'
import { publishClaims } from './claim-publisher.ts'
import type { IgnoredClaim } from './claims.ts'
import { ComputeNodeCalls } from './compute-node-calls.ts'
import { ComputeNodeWatch } from './compute-node-watch.ts'
import { loadWantedNodes } from './instance-moves.ts'
import { NodeLinks } from './node-links.ts'
import { NodeStanding } from './node-standing.ts'
import { nodePlans, ownComputeNodes } from './own-nodes.ts'
import { PlacementHistory } from './placement-history.ts'
import type { PlacementContext, PlacementOptions } from './placement-options.ts'
import { type Assignment, newAllocation, type Plan } from './plan.ts'
import { PlanPusher } from './plan-pusher.ts'
import { PlanWitness } from './plan-witness.ts'
import { Planner } from './planner.ts'
import { targetFailed } from './refusals.ts'
import { Relocation } from './relocation.ts'
import { ReportPublisher } from './report-publisher.ts'
import { Rounds } from './rounds.ts'
import { ShrinkGuard } from './shrink-guard.ts'
import { listenToState } from './state-changes.ts'
import { UnfitVms } from './unfit-vms.ts'
import type { Workload } from './workloads.ts'

/** Turns pass with time alone; many messages in a row change the plan once. */
const roundTimes = { periodMs: 15_000, settleMs: 10 }
/** Compute nodes are asked so often for one plan, at most. */
const mostConsultations = 3

/**
 * Places workloads on compute nodes: watches the state, claims what is this node's turn, and tells its compute nodes
 * what to run (protocol 06 §8).
 */
export class Placement {
  readonly #context: PlacementContext
  readonly #options: PlacementOptions
  readonly #reportPublisher: ReportPublisher
  readonly #calls: ComputeNodeCalls
  /** What is seen of our compute nodes. */
  readonly watch: ComputeNodeWatch
  readonly #links: NodeLinks
  readonly #standing: NodeStanding
  readonly #planner: Planner
  readonly #witness: PlanWitness
  readonly #relocation: Relocation
  /** What other core nodes bring to our compute nodes. */
  readonly arrivals: Arrivals
  readonly #pusher: PlanPusher
  /** Keeps plans from stopping what they should not. */
  readonly #guard: ShrinkGuard
  /** What happened to the places of VMs since this node is. */
  readonly history: PlacementHistory
  /** The registry, with what is known of nodes that were unlinked. */
  #corechannel: CorechannelAggregate | undefined
  /** VMs that do not fit their compute nodes any more, with the reason. */
  #unfit: ReadonlyMap<string, string> = new Map()
  readonly #unfitVms = new UnfitVms()
  /** Where owners want their VMs: VM → compute node. */
  #wanted: ReadonlyMap<string, string> = new Map()
  #plan: Plan = {
    assignments: new Map(),
    changes: new Map(),
    homeless: new Map(),
    workloads: [],
    reports: new Map(),
    ledger: new CapacityLedger(new Map()),
    policy: { requiresIpv6Pool: false, streamChains: new Set(), blacklist: new Set() },
  }
  #synced = false
  #stopped = false
  #stopListening = () => {}
  readonly #stopping = new AbortController()
  readonly #rounds = new Rounds({ work: () => this.#replan(), ...roundTimes })

  private constructor(context: PlacementContext, options: PlacementOptions) {
    this.#context = context
    this.#options = options
    const { askRegistered, logger, pool } = context
    const { key } = options.mandate
    const calls = new ComputeNodeCalls({ askRegistered, key })
    this.#calls = calls
    const pollMs = (options.pollSeconds ?? 30) * 1000
    const onChange = () => this.#rounds.wake()
    this.#reportPublisher = new ReportPublisher(context, key)
    this.history = new PlacementHistory(pool)
    this.watch = new ComputeNodeWatch({ logger, askRegistered, pollMs, onChange })
    this.#guard = new ShrinkGuard(context, {
      holdSeconds: options.holdPlansSeconds ?? 6 * 3600,
      lastPlaces: () => this.history.lastPlaces(),
      running: (nodeHash) => this.watch.seen(nodeHash)?.running,
      reasonToLeave: (vmHash, nodeHash) => this.#reasonToLeave(vmHash, nodeHash),
    })
    const moveInstancesAfterSeconds = options.moveInstancesAfterSeconds ?? 6 * 3600
    const unlinkSeconds = options.unlinkSeconds ?? 900
    this.#links = new NodeLinks(pool, { graceSeconds: unlinkSeconds + moveInstancesAfterSeconds })
    this.#standing = new NodeStanding(context, {
      watch: this.watch,
      links: this.#links,
      unlinkSeconds,
      guard: this.#guard,
      moveProgramsAfterSeconds: options.moveProgramsAfterSeconds ?? 600,
      moveInstancesAfterSeconds,
      drainAfterSeconds: options.drainAfterSeconds ?? 3 * 86_400,
      streamPauseMs: pollMs,
    })
    this.#planner = new Planner(context, {
      mandate: options.mandate,
      standing: this.#standing,
      links: this.#links,
    })
    this.#witness = new PlanWitness(context, options.mandate)
    this.#relocation = new Relocation({
      calls,
      logger,
      onChange,
      onRefused: ({ vmHash, target }, code) => {
        this.#standing.refusals.add(vmHash, target.hash, code)
        onChange()
      },
      onFailed: ({ vmHash, source, target }) => {
        this.history
          .noteReturn(vmHash, { from: target.hash, to: source.hash, reason: targetFailed })
          .catch((error: unknown) => logger.error({ err: error, vm: vmHash }, 'history could not be written'))
      },
    })
    this.arrivals = new Arrivals({
      calls,
      situation: () => this.#situation(),
      take: (vmHash, computeNode) => this.#take(vmHash, computeNode),
    })
    this.#pusher = new PlanPusher({
      calls,
      logger,
      onFailing: (url, errors) => this.#onFailing(url, errors),
      ...options.pusher,
    })
  }

  static create(context: PlacementContext, options: PlacementOptions): Placement {
    return new Placement(context, options)
  }

  /**
   * Watches at once, but neither claims nor tells compute nodes anything before `synced` resolves: an old state would
   * stop what runs.
   */
  async start(synced: Promise<void>): Promise<void> {
    this.#stopListening = listenToState(this.#context.events, {
      onProcessed: (batch) => this.#witness.hear(batch),
      onReport: () => this.#planner.forgetReports(),
      onChange: () => this.#rounds.wake(),
    })
    this.#options.registry.onChange(() => {
      this.#planner.forgetReports()
      this.#rounds.wake()
    })
    void synced.then(() => {
      this.#synced = true
      this.#rounds.wake(0)
    })
    this.#rounds.wake(0)
  }

  async stop(): Promise<void> {
    this.#stopped = true
    this.#stopListening()
    this.#stopping.abort()
    await this.#rounds.stop()
    await this.#relocation.stop()
    this.#standing.close()
    await this.watch.stop()
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

  /** Everything that wants to run, and what is left on compute nodes when it does. */
  get current(): Readonly<Plan> {
    return this.#plan
  }

  /** Why a compute node gets nothing new, or not this VM, as far as this node knows; null when it may. */
  refusalOf(node: ComputeNode, workload?: Workload): string | null {
    return this.#standing.reasonAgainst(node, workload)
  }

  /** Claims of core nodes that lead to nothing, with the reason. */
  get ignoredClaims(): readonly IgnoredClaim[] {
    return this.#planner.ignoredClaims
  }

  /** Address whose key signs plans. */
  get operator(): string {
    return this.#options.mandate.key.address
  }

  /** Lets a plan pass that is held back; false when there is none. */
  releasePlan(nodeHash: string): boolean {
    const isHeld = this.#guard.release(nodeHash)
    if (isHeld) this.#rounds.wake(0)
    return isHeld
  }

  get corechannel(): CorechannelAggregate | null {
    return this.#corechannel ?? this.#options.registry.corechannel
  }

  async #replan(): Promise<void> {
    const registry = this.#options.registry.corechannel
    if (!registry) return
    try {
      const corechannel = await this.#links.look(registry, Date.now() / 1000)
      this.#corechannel = corechannel
      this.watch.setNodes(new Map(this.#ownNodes(corechannel).map(({ hash, address }) => [hash, address])))
      const next = await this.#decideWithConsent(corechannel)
      if (this.#synced) await this.#holdBack(next, corechannel)
      // Changes count only once they are safe in our inbox.
      if (next.changes.size > 0 && this.#synced) await this.#publish(next)
      else for (const vmHash of next.changes.keys()) next.assignments.delete(vmHash)
      this.#plan = next
      if (!this.#synced) return
      this.#tellNodes(next, corechannel)
      await this.#note(next)
      const { basis } = this.#planner
      if (basis) await this.#witness.look(basis)
      await this.#reportPublisher.publish(this.watch.reports(), await this.#planner.reports(corechannel))
    } catch (error) {
      this.#context.logger.warn({ err: error }, 'placement could not be decided; trying again')
    }
  }

  /** A plan that our compute nodes agree to: what one refuses is placed elsewhere before anything is published. */
  async #decideWithConsent(corechannel: CorechannelAggregate): Promise<Plan> {
    let next = await this.#planner.decide(corechannel)
    if (!this.#synced) return next
    const asking = { calls: this.#calls, refusals: this.#standing.refusals, stopped: this.#stopping.signal }
    const own = this.#ownNodes(corechannel)
    for (let tries = 0; tries < mostConsultations && (await isRefused(next, own, asking)); tries++) {
      next = await this.#planner.decide(corechannel)
    }
    const workloads = new Map(next.workloads.map((workload) => [workload.hash, workload]))
    this.#wanted = await loadWantedNodes(this.#context.pool, next.workloads)
    const now = Date.now() / 1000
    this.#unfit = this.#unfitVms.look(next, new Set(own.map(({ hash }) => hash)), now)
    this.#relocation.update(next, {
      corechannel,
      coreNodes: this.#options.mandate.coreNodes(corechannel),
      leaving: this.#standing.leaving,
      unfit: this.#unfit,
      wanted: this.#wanted,
      refuse: (node, vmHash) => this.refusalOf(node, workloads.get(vmHash)),
      now,
    })
    return next
  }

  /** What could not be started where it was placed; the errors begin with their code. */
  #onFailing(url: string, errors: Record<string, string>): void {
    const { corechannel } = this
    const node = corechannel && this.#ownNodes(corechannel).find(({ address }) => address === url)
    if (!node) return
    const refusals = Object.entries(errors).map(([vmHash, error]) =>
      this.#standing.refusals.add(vmHash, node.hash, error.split(':', 1)[0]!),
    )
    if (refusals.includes(true)) this.#rounds.wake()
  }

  /** Takes out of a plan what would stop VMs for want of information. */
  async #holdBack(plan: Plan, corechannel: CorechannelAggregate): Promise<void> {
    const own = this.#ownNodes(corechannel).map(({ hash }) => hash)
    await this.#guard.look(plan, own)
    for (const vmHash of this.#guard.heldPlaces.keys()) plan.changes.delete(vmHash)
  }

  #tellNodes({ assignments }: Plan, corechannel: CorechannelAggregate): void {
    const own = this.#ownNodes(corechannel)
    const told = own.filter(({ hash }) => this.#guard.mayBeTold(hash))
    const plans = nodePlans(told, assignments.values())
    this.#pusher.setPlans(plans, new Set(own.map(({ address }) => address)))
  }

  async #note({ assignments, homeless, workloads }: Plan): Promise<void> {
    const wanted = new Set(workloads.map(({ hash }) => hash))
    const planned = [...assignments].map(([vmHash, { computeNode }]): [string, string] => [
      vmHash,
      computeNode,
    ])
    await this.history.note({
      places: new Map([...this.#guard.heldPlaces, ...planned]),
      unschedulable: new Set(
        [...homeless].filter(([, reasons]) => Object.keys(reasons).length > 0).map(([vmHash]) => vmHash),
      ),
      reasonToLeave: (vmHash, nodeHash) =>
        wanted.has(vmHash) ? (this.#reasonToLeave(vmHash, nodeHash) ?? 'reassigned') : 'vm_removed',
    })
  }

  /** Why a VM leaves a compute node; null when nobody decided that. */
  #reasonToLeave(vmHash: string, nodeHash: string): string | null {
    const leaving = this.#standing.leaving.get(nodeHash)
    if (leaving !== undefined) return leaving
    if ((this.#wanted.get(vmHash) ?? nodeHash) !== nodeHash) return 'owner_request'
    const unfit = this.#unfit.get(vmHash)
    if (unfit !== undefined) return unfit
    const isAway = this.watch.secondsAway(nodeHash) > 0
    return this.#planner.reasonToLeave(vmHash) ?? (isAway ? 'node_unhealthy' : null)
  }

  async #publish({ changes, assignments }: Plan): Promise<void> {
    await publishClaims(this.#context, this.#options.mandate.key, changes)
    this.#planner.published(changes)
    for (const [vmHash, change] of changes) {
      const node = assignments.get(vmHash)?.computeNode
      this.#context.logger.info({ vm: vmHash, node }, change ? 'claimed a VM' : 'released a VM')
    }
  }

  /** What is known, for those who ask us to take a VM; null before this node may decide anything. */
  #situation(): ArrivalSituation | null {
    const { corechannel } = this
    if (!corechannel || !this.#synced || this.#stopped) return null
    const own = this.#ownNodes(corechannel).filter(({ hash }) => !this.#standing.leaving.has(hash))
    const [plan, wanted] = [this.#plan, this.#wanted]
    return { plan, corechannel, own, wanted, refuse: (node, vm) => this.refusalOf(node, vm) }
  }

  /** Claims a VM that another core node has brought to a compute node of ours. */
  async #take(vmHash: string, computeNode: string): Promise<void> {
    const now = Date.now() / 1000
    const changes = new Map([[vmHash, newAllocation(computeNode, now)]])
    await publishClaims(this.#context, this.#options.mandate.key, changes)
    this.#planner.published(changes)
    this.#rounds.wake(0)
  }

  #ownNodes(corechannel: CorechannelAggregate): ComputeNode[] {
    return ownComputeNodes(corechannel, this.#options.mandate.coreNodes(corechannel))
  }
}
