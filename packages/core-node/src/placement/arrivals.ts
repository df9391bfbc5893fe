import { addressKey, type ComputeNode, type CorechannelAggregate, explainPlacement } from '@aleph-ts/protocol'
import { z } from 'zod'
import { ApiError } from '../api/api-error.ts'
import { askForRefusals } from './capacity-check.ts'
import type { CallAnswer, ComputeNodeCalls } from './compute-node-calls.ts'
import { migrationPaths } from './migration-paths.ts'
import { isMovable } from './moves.ts'
import type { Assignment, Plan } from './plan.ts'
import type { Workload } from './workloads.ts'

/** What this node knows when it is asked. */
export interface ArrivalSituation {
  plan: Pick<Plan, 'assignments' | 'reports' | 'policy' | 'ledger'>
  corechannel: CorechannelAggregate
  /** Our compute nodes. */
  own: readonly ComputeNode[]
  /** Where owners want their VMs: VM → compute node. */
  wanted: ReadonlyMap<string, string>
  refuse: (node: ComputeNode, workload: Workload) => string | null
}

export interface ArrivalsOptions {
  calls: ComputeNodeCalls
  /** Null while this node decides nothing. */
  situation: () => ArrivalSituation | null
  /** Publishes that a compute node of ours has a VM. */
  take: (vmHash: string, computeNode: string) => Promise<void>
}

/** Another core node's request about a VM of its own and a compute node of ours. */
export interface ArrivalRequest {
  /** Who signed it. */
  signer: string
  vmHash: string
  computeNode: string
}

const importSchema = z.looseObject({
  vm_hash: z.string(),
  source_host: z.string(),
  source_port: z.number().default(443),
})
const stateSchema = z.looseObject({ state: z.string() })

const answerMs = 30_000
/**
 * What only we know against a compute node: the other core node takes it for want of room, and does not ask again for a
 * while. Everything else it sees for itself, be it a moment later.
 */
const knownToUs: ReadonlySet<string> = new Set(['node_unhealthy', 'node_refuses'])

/**
 * Instances that other core nodes hand over to our compute nodes, with their disks (protocol 06 §8.6). Our compute nodes
 * obey nobody but us, so the other core node asks us, in the words in which we ask them, and we pass it on: only for a
 * VM that it has, and to a compute node that would get the VM from us as well. Once the VM is here we claim it, and the
 * other one lets go.
 */
export class Arrivals {
  readonly #options: ArrivalsOptions

  constructor(options: ArrivalsOptions) {
    this.#options = options
  }

  /** Why our compute node does not take the VM, a code; null when it does. */
  async refusal(request: ArrivalRequest): Promise<string | null> {
    const { node, assignment, situation } = this.#admit(request)
    const { corechannel, plan, refuse, wanted } = situation
    const { workload } = assignment
    if (workload.kind !== 'instance' || workload.requirements.confidential !== null) return 'unsupported'
    if (!isMovable(assignment) && wanted.get(workload.hash) !== node.hash) return 'unsupported'
    const verdict = explainPlacement(workload.requirements, corechannel, {
      reports: plan.reports,
      policy: plan.policy,
      ledger: plan.ledger,
      refuse: (each) => refuse(each, workload),
    }).find(({ computeNode }) => computeNode === node.hash)
    if (!verdict) return 'unsupported'
    if (verdict.reason !== null)
      return knownToUs.has(verdict.reason) ? 'insufficient_capacity' : verdict.reason
    const { calls } = this.#options
    const signal = AbortSignal.timeout(answerMs)
    const refusals = await askForRefusals(calls, { url: node.address }, [workload.hash], signal)
    return refusals?.get(workload.hash) ?? null
  }

  /** Lets our compute node fetch the VM's disks from where it is. */
  async begin(request: ArrivalRequest, body: Buffer): Promise<CallAnswer> {
    const refusal = await this.refusal(request)
    if (refusal !== null) throw new ApiError(409, refusal, `${request.computeNode} does not take this VM`)
    const { node, source } = this.#admit(request)
    const given = importSchema.safeParse(parseJson(body))
    if (!given.success || given.data.vm_hash !== request.vmHash) {
      throw new ApiError(400, 'invalid_request', 'body: is no migration of this VM')
    }
    if (!isAt(given.data, source)) {
      throw new ApiError(400, 'invalid_request', `source_host: the VM is not there, but at ${source.address}`)
    }
    const signal = AbortSignal.timeout(answerMs)
    return this.#options.calls.post(node.address, migrationPaths.begin, { body: body.toString(), signal })
  }

  /** How far our compute node is. That the VM is here is said only once its claim is published. */
  async status(request: ArrivalRequest): Promise<CallAnswer> {
    const { vmHash, computeNode } = request
    const { calls, situation, take } = this.#options
    const assignment = situation()?.plan.assignments.get(vmHash)
    if (assignment?.computeNode === computeNode) return { status: 200, text: '{"state":"imported"}' }
    const { node } = this.#admit(request)
    const signal = AbortSignal.timeout(answerMs)
    const answer = await calls.get(node.address, migrationPaths.status(vmHash), { signal })
    const job = stateSchema.safeParse(parseJson(answer.text))
    if (job.success && job.data.state === 'imported') await take(vmHash, computeNode)
    return answer
  }

  /** @throws {ApiError} unless the VM is the signer's, and the compute node ours */
  #admit({ signer, vmHash, computeNode }: ArrivalRequest): {
    node: ComputeNode
    assignment: Assignment
    source: ComputeNode
    situation: ArrivalSituation
  } {
    const situation = this.#options.situation()
    if (!situation) throw new ApiError(503, 'not_ready', 'This node does not place VMs now; ask later')
    const { plan, corechannel, own } = situation
    const node = own.find(({ hash }) => hash === computeNode)
    if (!node) throw new ApiError(404, 'not_found', `${computeNode} is no compute node of ours`)
    const assignment = plan.assignments.get(vmHash)
    const source = corechannel.resource_nodes.find(({ hash }) => hash === assignment?.computeNode)
    const holder = corechannel.nodes.find(({ hash }) => hash === assignment?.coreNode)
    if (!assignment || !source || !holder) {
      throw new ApiError(404, 'not_found', `VM ${vmHash} is nowhere, as far as this node knows`)
    }
    if (addressKey('ETH', holder.owner) !== addressKey('ETH', signer)) {
      throw new ApiError(403, 'not_its_vm', `VM ${vmHash} is not ${signer}'s to move`)
    }
    return { node, assignment, source, situation }
  }
}

function isAt(
  { source_host, source_port }: z.output<typeof importSchema>,
  { address }: ComputeNode,
): boolean {
  const { hostname, port, protocol } = new URL(address)
  return source_host === hostname && source_port === (Number(port) || (protocol === 'https:' ? 443 : 80))
}

function parseJson(text: Buffer | string): unknown {
  try {
    return JSON.parse(text.toString())
  } catch {
    return null
  }
}
