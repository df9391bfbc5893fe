import {
  addressKey,
  planInputRoots,
  planRoot,
  type SchedulerPlan,
  schedulerChannel,
  schedulerPlanPostType,
  schedulerPlanSchema,
} from '@aleph-ts/protocol'
import { Counter, Gauge } from 'prom-client'
import type { CoreNodeContext } from '../context.ts'
import type { ProcessedMessage } from '../events.ts'
import { publishOwnMessage } from '../own-message.ts'
import type { Mandate } from './mandate.ts'
import { epochAt, plan } from './plan.ts'
import type { PlanBasis } from './planner.ts'

export type PlanWitnessContext = Pick<
  CoreNodeContext,
  'profile' | 'inbox' | 'fileStore' | 'logger' | 'metrics'
>

interface Heard {
  plan: SchedulerPlan
  itemHash: string
  /** Epoch seconds. */
  at: number
}

/** A plan from other inputs than ours is waited for this long: some of them may be on their way. */
const patienceSeconds = 120
/** Planning everything anew takes time in a large network. */
const leastPauseMs = 2_000
const mostHeard = 2_000

/**
 * Publishes what this node's plan comes to, and checks what others publish of theirs (protocol 06 §8.5): with the same
 * inputs everybody must come to the same. What only one node knows against compute nodes is left out on both sides.
 */
export class PlanWitness {
  readonly #context: PlanWitnessContext
  readonly #mandate: Mandate
  /** By who published it, the last plan that was not compared yet. */
  readonly #heard = new Map<string, Heard>()
  /** Whose last comparable plan was another one. */
  readonly #divergent = new Set<string>()
  readonly #compared: Counter<'outcome'>
  #lookedAt = 0
  #publishedAt = 0
  #published = ''

  constructor(context: PlanWitnessContext, mandate: Mandate) {
    this.#context = context
    this.#mandate = mandate
    const registers = [context.metrics.registry]
    this.#compared = new Counter({
      name: 'aleph_core_compared_plans_total',
      help: 'Plans of others, by what became of the comparison with our own',
      labelNames: ['outcome'],
      registers,
    })
    const divergent = this.#divergent
    new Gauge({
      name: 'aleph_core_divergent_plans',
      help: 'Publishers whose plan is another one than follows from its inputs; should page somebody',
      registers,
      collect() {
        this.set(divergent.size)
      },
    })
  }

  /** Takes note of plans that were published. */
  hear(batch: readonly ProcessedMessage[]): void {
    for (const { type, content, owner, item_hash: itemHash } of batch) {
      if (type !== 'POST' || (content as { type?: unknown } | null)?.type !== schedulerPlanPostType) continue
      const parsed = schedulerPlanSchema.safeParse((content as { content?: unknown }).content)
      const publisher = addressKey('ETH', owner)
      if (!parsed.success || publisher === addressKey('ETH', this.#mandate.key.address)) continue
      this.#heard.delete(publisher)
      if (this.#heard.size < mostHeard) {
        this.#heard.set(publisher, { plan: parsed.data, itemHash, at: Date.now() / 1000 })
      }
    }
  }

  /**
   * Compares and publishes, when either is due.
   *
   * @throws {InboxUnavailableError}
   */
  async look(basis: PlanBasis): Promise<void> {
    const { planSeconds } = this.#context.profile.placement
    const now = Date.now()
    const acts = this.#mandate.coreNodes(basis.corechannel).size > 0
    const isDue = planSeconds !== null && acts && now - this.#publishedAt >= planSeconds * 1000
    if (!isDue && (this.#heard.size === 0 || now - this.#lookedAt < leastPauseMs)) return
    this.#lookedAt = now
    const own = schedulerPlan(basis, now / 1000)
    this.#compare(own, basis)
    if (isDue) await this.#publish(own, now)
  }

  #compare(own: SchedulerPlan, { corechannel }: PlanBasis): void {
    const believed = new Set(
      this.#mandate.scheduler === null
        ? corechannel.nodes.map(({ owner }) => addressKey('ETH', owner))
        : [addressKey('ETH', this.#mandate.scheduler)],
    )
    const now = Date.now() / 1000
    for (const [publisher, { plan, itemHash, at }] of this.#heard) {
      const isComparable = JSON.stringify(plan.inputs) === JSON.stringify(own.inputs)
      if (believed.has(publisher) && !isComparable && now - at < patienceSeconds) continue
      this.#heard.delete(publisher)
      if (!believed.has(publisher)) continue
      const outcome = !isComparable ? 'other_inputs' : plan.plan_root === own.plan_root ? 'same' : 'divergent'
      this.#compared.inc({ outcome })
      if (outcome === 'same') this.#divergent.delete(publisher)
      if (outcome !== 'divergent') continue
      this.#divergent.add(publisher)
      this.#context.logger.error({ publisher, itemHash }, 'a plan that does not follow from its inputs')
    }
  }

  async #publish(own: SchedulerPlan, now: number): Promise<void> {
    const { epoch: _, ...what } = own
    const text = JSON.stringify(what)
    if (text === this.#published) return
    this.#published = text
    this.#publishedAt = now
    await publishOwnMessage(this.#context, this.#mandate.key, {
      type: 'POST',
      channel: schedulerChannel,
      content: { type: schedulerPlanPostType, content: own },
    })
  }
}

/** The plan that follows from what everybody can see, as it is published. */
export function schedulerPlan(basis: PlanBasis, now: number): SchedulerPlan {
  const { corechannel, workloads, reports, policy, claims } = basis
  const active = corechannel.nodes.filter(({ status }) => status === 'active')
  const { assignments } = plan({
    workloads: [...workloads],
    corechannel,
    reports,
    policy,
    claims: [...claims],
    coreNodes: new Set(active.map(({ hash }) => hash)),
    published: new Map(),
    refuse: () => null,
    homelessSince: () => now,
    turnSeconds: 0,
    now,
  })
  const places = [...assignments].map(([vm, { computeNode }]): [string, string] => [vm, computeNode])
  return {
    epoch: epochAt(now),
    inputs: planInputRoots({ corechannel, vms: workloads, reports, policy, claims }),
    plan_root: planRoot(places),
  }
}
