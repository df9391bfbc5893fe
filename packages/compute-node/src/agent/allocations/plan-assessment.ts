import {
  type InstanceContent,
  type ProgramContent,
  ProtocolError,
  parseContent,
  sha256Hex,
} from '@aleph-ts/protocol'
import type { Confidential } from '../confidential/confidential.ts'
import type { MessageSource, VerifiedMessage } from '../core-nodes/message-source.ts'
import type { NodeIdentity } from '../core-nodes/node-identity.ts'
import { AgentError, toAgentError } from '../errors.ts'
import type { Gpus } from '../gpu/gpus.ts'
import type { Admission } from './admission.ts'
import type { PlanV2 } from './plan.ts'
import type { PlanChange, Reconciler } from './reconciler.ts'

/** Messages that are looked up at once. */
const CONCURRENCY = 8

export interface PlanAssessmentOptions {
  messages: MessageSource
  admission: Admission
  reconciler: Reconciler
  gpus: Gpus
  confidential: Confidential
  identity: Pick<NodeIdentity, 'hash'>
}

export interface Rejection {
  code: string
  message: string
}

/** Answer to a version 2 plan (protocol 05 §20). */
export interface PlanAnswer extends PlanChange {
  /** `sha256:` of the sorted hashes that the plan names. */
  plan_id: string
  pending: string[]
  rejected: Record<string, Rejection>
  status_url: string
}

type Verdict = { accepted: true } | ({ accepted: false } & Rejection)

/** Judges a version 2 plan: what of it this node can run, before anything starts (protocol 05 §20). */
export class PlanAssessment {
  readonly #options: PlanAssessmentOptions

  constructor(options: PlanAssessmentOptions) {
    this.#options = options
  }

  /** Takes the plan over, without the VMs that cannot run here; messages that cannot be read yet stay pending. */
  async apply(plan: PlanV2): Promise<PlanAnswer> {
    const rejected: Record<string, Rejection> = {}
    const pending: string[] = []
    await this.#forEach(plan, async ({ item_hash: hash, message }) => {
      const verdict = await this.#judge(hash, message)
      if (verdict.accepted) return
      if (verdict.code === 'message_unavailable') pending.push(hash)
      else rejected[hash] = { code: verdict.code, message: verdict.message }
    })
    const hashes = plan.vms.map(({ item_hash: hash }) => hash)
    const change = await this.#options.reconciler.applyV2(hashes.filter((hash) => !(hash in rejected)))
    return {
      plan_id: `sha256:${sha256Hex(JSON.stringify([...new Set(hashes)].sort()))}`,
      ...change,
      accepted: change.accepted.filter((hash) => !pending.includes(hash)),
      pending,
      rejected,
      status_url: '/v2/about/executions/list',
    }
  }

  /** What of the plan would fit, all of it together; changes nothing. */
  async check(plan: PlanV2) {
    const { admission, reconciler } = this.#options
    const results: Record<string, Verdict> = {}
    const trial = await admission.trial()
    await this.#forEach(plan, async ({ item_hash: hash, message }) => {
      const verdict = await this.#judge(hash, message)
      results[hash] = verdict
      if (!verdict.accepted || reconciler.isPlanned(hash)) return
      const refusal = trial.take(await this.#content(hash))
      if (refusal) results[hash] = { accepted: false, code: 'insufficient_capacity', message: refusal }
    })
    return { results, capacity: await admission.figures() }
  }

  async #judge(hash: string, embedded: unknown): Promise<Verdict> {
    const { reconciler, gpus } = this.#options
    try {
      if (embedded !== undefined && embedded !== null) await this.#options.messages.admit(hash, embedded)
      const content = await this.#content(hash)
      this.#assertMeant(content)
      this.#options.confidential.assertAvailable(content)
      if (!reconciler.isPlanned(hash)) gpus.assertAvailable(content)
      return { accepted: true }
    } catch (error) {
      const { code, message } = toAgentError(error)
      return { accepted: false, code: planCodes[code] ?? 'internal', message }
    }
  }

  #assertMeant({ requirements }: ProgramContent | InstanceContent): void {
    const wanted = requirements?.node?.node_hash
    const nodeHash = this.#options.identity.hash
    if (wanted && wanted !== nodeHash) {
      throw new AgentError('conflict', 'The message asks for a different node')
    }
  }

  async #content(hash: string): Promise<ProgramContent | InstanceContent> {
    return executableContent(hash, await this.#options.messages.get(hash))
  }

  async #forEach(plan: PlanV2, work: (vm: PlanV2['vms'][number]) => Promise<void>): Promise<void> {
    const queue = [...plan.vms]
    const workers = Array.from({ length: CONCURRENCY }, async () => {
      for (let vm = queue.shift(); vm; vm = queue.shift()) await work(vm)
    })
    await Promise.all(workers)
  }
}

/** Our error codes in the words of the plan protocol. */
const planCodes: Partial<Record<AgentError['code'], string>> = {
  conflict: 'node_mismatch',
  gpu_unavailable: 'gpu_unavailable',
  unsupported: 'unsupported',
  message_invalid: 'invalid_message',
  invalid_program: 'invalid_message',
  message_rejected: 'invalid_message',
  message_gone: 'invalid_message',
  message_not_found: 'message_unavailable',
  message_pending: 'message_unavailable',
  core_nodes_unreachable: 'message_unavailable',
}

/** The content of a message that runs as a VM. Throws AgentError `unsupported` or `invalid_program`. */
export function executableContent(
  hash: string,
  { envelope, content }: VerifiedMessage,
): ProgramContent | InstanceContent {
  const { type } = envelope
  try {
    if (type === 'PROGRAM') return parseContent('PROGRAM', content)
    if (type === 'INSTANCE') return parseContent('INSTANCE', content)
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error
    throw new AgentError('invalid_program', `Message ${hash} is no valid ${type}: ${error.message}`)
  }
  throw new AgentError('unsupported', `Message ${hash} is of type ${type}, which does not run here`)
}
