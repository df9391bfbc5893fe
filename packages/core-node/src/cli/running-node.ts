import type { CoreNodeConfig } from '../config.ts'

const timeoutMs = 10_000

/** The node did not answer, or not as a core node does; the message says where it was looked for. */
export class NodeUnreachableError extends Error {
  readonly code = 'node_unreachable'
}

/** Where the API of the configured node answers, as seen from its own machine. */
export function urlOf({ http }: CoreNodeConfig, given?: string): string {
  if (given) return given.replace(/\/+$/, '')
  const host = http.host === '0.0.0.0' || http.host === '::' ? 'localhost' : http.host
  return `http://${host.includes(':') ? `[${host}]` : host}:${http.port}`
}

/**
 * Asks a running node.
 *
 * @throws {NodeUnreachableError}
 */
export async function askNode(url: string, path: string, init?: RequestInit): Promise<Response> {
  try {
    return await fetch(`${url}${path}`, { signal: AbortSignal.timeout(timeoutMs), ...init })
  } catch (error) {
    const { message, cause } = error as Error
    const reason = cause instanceof Error ? cause.message : message
    throw new NodeUnreachableError(`No node answers at ${url} (${reason}); start it, or give its --url`, {
      cause: error,
    })
  }
}
