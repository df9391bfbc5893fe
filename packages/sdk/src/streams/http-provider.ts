import type { EthereumProvider } from '../account/ethereum-account.ts'
import { AlephError } from '../errors.ts'

const timeoutMs = 20_000

/**
 * A provider that asks an EVM node over JSON-RPC. It has no keys: it reads, and sends what is signed already.
 *
 * @param rpcUrl `http:` or `https:`; it never appears in errors, as it may hold an API key
 */
export function httpProvider(rpcUrl: string): EthereumProvider {
  return {
    async request({ method, params = [] }) {
      const answer = await ask(rpcUrl, { jsonrpc: '2.0', id: 1, method, params })
      if (answer.error) {
        throw new AlephError('bad_request', `${method}: ${String(answer.error.message).slice(0, 500)}`)
      }
      return answer.result
    },
  }
}

async function ask(
  rpcUrl: string,
  body: { method: string } & Record<string, unknown>,
): Promise<{ result?: unknown; error?: { message?: unknown } | null }> {
  let response: Response
  try {
    response = await fetch(rpcUrl, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(timeoutMs),
    })
  } catch {
    throw new AlephError('network_unreachable', `${body.method}: the EVM node does not answer`)
  }
  const answer: unknown = await response.json().catch(() => undefined)
  if (typeof answer === 'object' && answer !== null) return answer
  throw new AlephError(
    'bad_response',
    `${body.method}: the EVM node answered ${response.status} without JSON`,
  )
}
