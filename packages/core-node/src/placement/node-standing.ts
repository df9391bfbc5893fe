import {
  type ComputeNode,
  type CorechannelAggregate,
  instanceMovesKey,
  nodeDrainsKey,
  type PlacementPolicy,
} from '@aleph-ts/protocol'
import type { CoreNodeContext } from '../context.ts'
import type { Claim } from './claims.ts'
import type { ComputeNodeWatch } from './compute-node-watch.ts'
import { LowScores, loadDrainingNodes } from './node-drains.ts'
import type { NodeLinks } from './node-links.ts'
import { Refusals } from './refusals.ts'
import type { ShrinkGuard } from './shrink-guard.ts'
import { StreamPayments } from './stream-payments.ts'
import type { Workload } from './workloads.ts'

export interface StandingOptions {
  watch: ComputeNodeWatch
  guard: Pick<ShrinkGuard, 'holds'>
  links: Pick<NodeLinks, 'secondsUnlinked'>
  /** How long a compute node may be unlinked before it is emptied, seconds. */
  unlinkSeconds: number
  /** How long a compute node may be away before its programs start elsewhere, seconds (protocol 06 §8.6). */
  moveProgramsAfterSeconds: number
  /** The same for its instances, whose disks are lost then. */
  moveInstancesAfterSeconds: number
  /** How long a compute node's score may be too low before it is emptied, seconds. */
  drainAfterSeconds: number
  /** Between two looks at streams, ms. */
  streamPauseMs: number
}

export interface StandingInputs {
  /** Our compute nodes. */
  own: readonly ComputeNode[]
  workloads: readonly Workload[]
  corechannel: CorechannelAggregate
  policy: PlacementPolicy
  /** Epoch seconds. */
  now: number
}

/** What this core node knows against compute nodes and against VMs on them, beyond the registry. */
export class NodeStanding {
  readonly refusals = new Refusals()
  readonly #context: Pick<CoreNodeContext, 'pool' | 'profile' | 'config' | 'logger'>
  readonly #options: StandingOptions
  readonly #streams: StreamPayments
  readonly #lowScores: LowScores
  #own: ReadonlySet<string> = new Set()
  #draining: ReadonlySet<string> = new Set()
  #leaving: ReadonlyMap<string, string> = new Map()

  constructor(
    context: Pick<CoreNodeContext, 'pool' | 'profile' | 'config' | 'logger'>,
    options: StandingOptions,
  ) {
    this.#context = context
    this.#options = options
    this.#streams = new StreamPayments(context, { pauseMs: options.streamPauseMs })
    this.#lowScores = new LowScores(context.pool)
  }

  close(): void {
    this.#streams.close()
  }

  /** Compute nodes of ours that are to be emptied, with the reason. */
  get leaving(): ReadonlyMap<string, string> {
    return this.#leaving
  }

  /** Looks at everything anew. */
  async look({ own, workloads, corechannel, policy, now }: StandingInputs): Promise<void> {
    const { drainAfterSeconds } = this.#options
    this.#own = new Set(own.map(({ hash }) => hash))
    const receivers = new Set(own.map((node) => node.stream_reward.toLowerCase()))
    await this.#streams.look(
      workloads.filter(({ requirements }) =>
        receivers.has(requirements.streamReceiver?.toLowerCase() ?? '-'),
      ),
    )
    this.#draining = await loadDrainingNodes(this.#context.pool, corechannel)
    const low = await this.#lowScores.lastingFor(drainAfterSeconds, corechannel, now)
    this.#leaving = new Map(
      own.flatMap(({ hash, status }): [string, string][] => {
        if (this.#draining.has(hash) || low.has(hash)) return [[hash, 'node_draining']]
        if (policy.blacklist.has(hash)) return [[hash, 'blacklist']]
        return status !== 'linked' && this.#isLongUnlinked(hash, now) ? [[hash, 'not_linked']] : []
      }),
    )
    this.refusals.keep(new Set(workloads.map(({ hash }) => hash)))
  }

  #isLongUnlinked(hash: string, now: number): boolean {
    const { links, unlinkSeconds } = this.#options
    return links.secondsUnlinked(hash, now) >= unlinkSeconds
  }

  /** The same, whatever pays. */
  #refusal({ hash }: { hash: string }, vmHash?: string): string | null {
    if (this.#draining.has(hash)) return 'node_draining'
    if (this.#options.watch.secondsAway(hash) > 0) return 'node_unhealthy'
    if (this.#options.guard.holds(hash)) return 'plan_held'
    if (this.refusals.isTiresome(hash)) return 'node_refuses'
    if (vmHash === undefined) return null
    return this.refusals.of(vmHash, hash)
  }

  /** Why a compute node gets nothing new, or not this VM, be it for its payment; null when it may. */
  reasonAgainst(node: { hash: string }, workload?: Workload): string | null {
    const reason = this.#refusal(node, workload?.hash)
    return reason ?? (workload ? this.#paymentReason(node, workload) : null)
  }

  /** Why a VM that is paid by a stream gets no place on a node of ours. */
  #paymentReason({ hash }: { hash: string }, workload: Workload): string | null {
    if (workload.paymentType !== 'superfluid' || !this.#own.has(hash)) return null
    return this.#streams.verdict(workload.hash) === 'paid' ? null : 'payment_stream'
  }

  /** Why a claim is given up; null while it holds. */
  reasonToLeave(
    { vmHash, computeNode }: Pick<Claim, 'vmHash' | 'computeNode'>,
    workload: Workload,
  ): string | null {
    const { watch, moveInstancesAfterSeconds, moveProgramsAfterSeconds } = this.#options
    const patience = workload.kind === 'instance' ? moveInstancesAfterSeconds : moveProgramsAfterSeconds
    if (watch.secondsAway(computeNode) >= patience) return 'node_unhealthy'
    if (!this.#own.has(computeNode)) return null
    // On a node that was unlinked before the VM was ever seen there is nothing to lose.
    const isLeft = this.#leaving.get(computeNode) === 'not_linked' && !watch.wasSeen(vmHash, computeNode)
    if (isLeft) return 'not_linked'
    const isUnpaid = workload.paymentType === 'superfluid' && this.#streams.verdict(vmHash) === 'unpaid'
    return isUnpaid ? 'payment_stream' : this.refusals.of(vmHash, computeNode)
  }
}

/** Whether an aggregate that was published changes what is known here. */
export function isAboutStanding(key: unknown): boolean {
  return key === nodeDrainsKey || key === instanceMovesKey
}
