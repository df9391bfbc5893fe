import { Gauge } from 'prom-client'
import type { CoreNodeContext } from '../context.ts'
import type { Plan } from './plan.ts'

export interface ShrinkGuardOptions {
  /** A plan that is still as odd after this long is let through, seconds. */
  holdSeconds: number
  /** Compute node by VM hash, as compute nodes were last told, be it by an earlier process. */
  lastPlaces: () => Promise<ReadonlyMap<string, string>>
  /** VMs that were seen running on a compute node; undefined before it was looked at. */
  running: (nodeHash: string) => Iterable<string> | undefined
  /** Why a VM leaves a compute node, when that was decided; null when nobody decided it. */
  reasonToLeave: (vmHash: string, nodeHash: string) => string | null
  now?: () => number
}

interface Hold {
  /** Epoch seconds. */
  since: number
  vms: ReadonlySet<string>
}

/** Statuses of messages whose VMs end by right. */
const ended: ReadonlySet<string> = new Set(['forgotten', 'removing', 'removed', 'rejected'])

/**
 * Keeps a plan from stopping what runs for want of information (protocol 06 §11 T19): when more than half of a compute
 * node's VMs would leave it at once, without a place elsewhere and without any reason, the node is not told, and what
 * was claimed stays claimed. That ends when the VMs are in the plan again or have a reason to leave, after a while, or
 * by the operator's word.
 */
export class ShrinkGuard {
  readonly #context: Pick<CoreNodeContext, 'pool' | 'logger' | 'metrics'>
  readonly #options: ShrinkGuardOptions
  readonly #holds = new Map<string, Hold>()
  /** Compute nodes whose next plan passes, by their operator's word. */
  readonly #released = new Set<string>()
  /** Compute nodes that were looked at by this process. */
  readonly #known = new Set<string>()
  #places: Map<string, string> | undefined

  constructor(context: Pick<CoreNodeContext, 'pool' | 'logger' | 'metrics'>, options: ShrinkGuardOptions) {
    this.#context = context
    this.#options = options
    const holds = this.#holds
    new Gauge({
      name: 'aleph_core_held_plans',
      help: 'Compute nodes that are not told their plan, which would stop most of their VMs for no reason; should page somebody',
      registers: [context.metrics.registry],
      collect() {
        this.set(holds.size)
      },
    })
  }

  /** Whether a compute node may be told its plan: it was looked at, and nothing about the plan is odd. */
  mayBeTold(nodeHash: string): boolean {
    return this.#known.has(nodeHash) && !this.#holds.has(nodeHash)
  }

  /** Whether a compute node's plan is held back. */
  holds(nodeHash: string): boolean {
    return this.#holds.has(nodeHash)
  }

  /** VMs that stay where they are against the plan: compute node by VM hash. */
  get heldPlaces(): ReadonlyMap<string, string> {
    return new Map(
      [...this.#holds].flatMap(([node, { vms }]) => [...vms].map((vm): [string, string] => [vm, node])),
    )
  }

  /** Lets the plan of a compute node pass; false when it is not held back. */
  release(nodeHash: string): boolean {
    if (!this.#holds.has(nodeHash)) return false
    this.#released.add(nodeHash)
    return true
  }

  /**
   * Decides which of our compute nodes are told a plan.
   *
   * @param nodes hashes of our compute nodes
   */
  async look({ assignments }: Pick<Plan, 'assignments'>, nodes: readonly string[]): Promise<void> {
    this.#places ??= new Map(await this.#options.lastPlaces())
    const places = this.#places
    const vmsOf = Map.groupBy(places.keys(), (vm) => places.get(vm)!)
    const before = new Map(nodes.map((node) => [node, this.#before(node, vmsOf.get(node) ?? [])]))
    const lost = await this.#lost(before, assignments)
    for (const node of this.#holds.keys()) if (!before.has(node)) this.#holds.delete(node)
    for (const [node, vms] of before) this.#judge(node, vms.size, lost.get(node) ?? new Set())
    const untold = [...places].filter(([, node]) => before.has(node) && !this.#known.has(node))
    const planned = [...assignments].map(([vm, { computeNode }]): [string, string] => [vm, computeNode])
    this.#places = new Map([...untold, ...this.heldPlaces, ...planned])
  }

  /** What runs on a compute node, as far as this node knows. */
  #before(node: string, told: string[]): Set<string> {
    const running = this.#known.has(node) ? [] : this.#options.running(node)
    if (running) this.#known.add(node)
    return new Set([...told, ...(running ?? [])])
  }

  /** The VMs that would leave their compute node for no reason, by compute node. */
  async #lost(
    before: ReadonlyMap<string, ReadonlySet<string>>,
    assignments: Plan['assignments'],
  ): Promise<Map<string, Set<string>>> {
    const { reasonToLeave } = this.#options
    const gone = [...before].flatMap(([node, vms]) =>
      [...vms]
        .filter((vm) => !assignments.has(vm) && reasonToLeave(vm, node) === null)
        .map((vm) => ({ node, vm })),
    )
    if (gone.length === 0) return new Map()
    const statuses = await this.#statuses(gone.map(({ vm }) => vm))
    const lost = gone.filter(({ vm }) => {
      const status = statuses.get(vm)
      // What merely runs there may have been brought by its owner; it is missed when its message is.
      return this.#places!.has(vm) ? !ended.has(status ?? '') : status === undefined
    })
    return new Map(
      [...Map.groupBy(lost, ({ node }) => node)].map(([node, each]) => [
        node,
        new Set(each.map(({ vm }) => vm)),
      ]),
    )
  }

  async #statuses(hashes: string[]): Promise<Map<string, string>> {
    const { rows } = await this.#context.pool.query<{ item_hash: string; status: string }>(
      'select item_hash, status from message_status where item_hash = any($1) order by rank desc',
      [hashes],
    )
    return new Map(rows.map(({ item_hash, status }) => [item_hash, status]))
  }

  /** @param count of the VMs that the compute node had */
  #judge(node: string, count: number, lost: ReadonlySet<string>): void {
    const { logger } = this.#context
    const { holdSeconds, now = () => Date.now() / 1000 } = this.#options
    const hold = this.#holds.get(node)
    const isOdd = hold ? lost.size > 0 : lost.size * 2 > count
    const isOver = hold !== undefined && now() - hold.since >= holdSeconds
    const isReleased = this.#released.delete(node)
    if (!isOdd || isOver || isReleased) {
      if (this.#holds.delete(node))
        logger.info({ node, stops: lost.size }, 'a compute node is told its plan again')
      return
    }
    this.#holds.set(node, { since: hold?.since ?? now(), vms: lost })
    if (hold) return
    logger.error(
      { node, vms: [...lost].slice(0, 20), stops: lost.size, of: count, holdSeconds },
      'a plan would stop most VMs of a compute node for no reason: it is held back, see `aleph-core-node release-plan`',
    )
  }
}
