import type { ClientContext } from '../client/client-context.ts'
import { AlephError } from '../errors.ts'
import { getAllocation } from './get-allocation.ts'

export interface CallProgramOptions extends RequestInit {
  /** Ask this compute node, instead of the one the program was assigned to. */
  computeNodeUrl?: string
}

/**
 * Sends an HTTP request to a program, wherever it runs, and returns its answer untouched: whatever status
 * it has, with the body still streaming. Nothing is retried, for only the caller knows what is safe.
 *
 * @throws AlephError `not_allocated` when no node runs it, `network_unreachable` when its node is away.
 * @example
 * const response = await callProgram(context, itemHash, '/greet?name=Ada')
 * console.log(response.status, await response.text())
 */
export async function callProgram(
  context: ClientContext,
  vmHash: string,
  path = '/',
  options: CallProgramOptions = {},
): Promise<Response> {
  const { computeNodeUrl, ...init } = options
  const base = computeNodeUrl ?? (await programBase(context, vmHash, init.signal ?? undefined))
  const url = programUrl(base, vmHash, path)
  try {
    return await context.core.fetch(url, init)
  } catch (error) {
    init.signal?.throwIfAborted()
    throw new AlephError('network_unreachable', `Cannot reach the compute node at ${base}`, {
      hint: 'Check that the node is running; the program moves if it stays away.',
      cause: error,
    })
  }
}

async function programBase(context: ClientContext, vmHash: string, signal?: AbortSignal): Promise<string> {
  const allocation = await getAllocation(context, vmHash, signal ? { signal } : {})
  const base = allocation?.computeNode.url ?? context.programGatewayUrl
  if (base !== undefined) return base
  throw new AlephError('not_allocated', `No compute node was assigned to ${vmHash}`, {
    hint: 'Wait until it is assigned, or check that this is the hash of a program.',
  })
}

/** The address of a program on a compute node: `<node>/vm/<hash>/<path>` (protocol 05 §5.1). */
export function programUrl(computeNodeUrl: string, vmHash: string, path = '/'): string {
  return `${computeNodeUrl.replace(/\/+$/, '')}/vm/${vmHash}${path.startsWith('/') ? path : `/${path}`}`
}
