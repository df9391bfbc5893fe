import { z } from 'zod'
import type { ClientContext } from '../client/client-context.ts'
import { AlephError } from '../errors.ts'
import { parseAnswer } from '../http/parse-answer.ts'
import { pollUntil } from '../http/poll-until.ts'
import { requestJson } from '../http/request.ts'
import { explainPlacement, summariseReasons } from './explain-placement.ts'

/** Where a VM was put (protocol 06 §7.1). */
export interface Allocation {
  vmHash: string
  vmType: string | null
  /** Hash of the core node that answers for it; null on networks that do not tell. */
  coreNode: string | null
  computeNode: { hash: string; url: string }
}

const allocationSchema = z.looseObject({
  vm_hash: z.string(),
  vm_type: z.string().nullish(),
  core_node: z.string().nullish(),
  node: z.looseObject({ node_id: z.string(), url: z.string() }),
})

/** The compute node of a VM; null while it has none. */
export async function getAllocation(
  context: ClientContext,
  vmHash: string,
  options: { signal?: AbortSignal } = {},
): Promise<Allocation | null> {
  const path = `/api/v0/allocation/${encodeURIComponent(vmHash)}`
  const answer = await requestJson(context.scheduler, path, { ...options, accept: [404] })
  if (answer.status === 404) return null
  const body = parseAnswer(allocationSchema, answer)
  return {
    vmHash: body.vm_hash,
    vmType: body.vm_type ?? null,
    coreNode: body.core_node ?? null,
    computeNode: { hash: body.node.node_id, url: body.node.url.replace(/\/+$/, '') },
  }
}

/** Empty where the scheduler does not tell. */
async function reasonsAgainst(
  context: ClientContext,
  vmHash: string,
  signal: AbortSignal | undefined,
): Promise<string> {
  try {
    return summariseReasons(await explainPlacement(context, vmHash, signal ? { signal } : {}))
  } catch (error) {
    if (error instanceof AlephError) return ''
    throw error
  }
}

/**
 * Waits until a VM has a compute node.
 *
 * @throws AlephError `not_allocated` when it has none after `timeoutMs` (one minute by default).
 */
export async function waitForAllocation(
  context: ClientContext,
  vmHash: string,
  options: { timeoutMs?: number; signal?: AbortSignal } = {},
): Promise<Allocation> {
  const { timeoutMs = 60_000, signal } = options
  const ask = async (stop: AbortSignal) =>
    (await getAllocation(context, vmHash, { signal: stop })) ?? undefined
  const found = await pollUntil(ask, { timeoutMs, signal })
  if (found) return found
  const lacking = await reasonsAgainst(context, vmHash, signal)
  throw new AlephError('not_allocated', `No compute node was assigned to ${vmHash} within ${timeoutMs} ms`, {
    hint: lacking
      ? `What the compute nodes lack: ${lacking}.`
      : 'Look at the capacity of the compute nodes, or ask for fewer resources.',
  })
}
