import type { IncomingMessage } from 'node:http'
import { requestIdOf } from '../request-id.ts'
import type { ProgramTarget } from './program-route.ts'

const hopByHop = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])
const setByNode = new Set(['server', 'aleph-program-itemhash', 'aleph-program-code-ref', 'x-request-id'])
/** Said by the node alone: through whom a call came, what it is called, and that it is a message rather than a call. */
const saidByNode = new Set([
  'x-forwarded-for',
  'x-forwarded-proto',
  'x-forwarded-host',
  'x-forwarded-prefix',
  'aleph-event',
  'x-request-id',
])

/** Headers for the program, as a flat list that keeps order, case and duplicates. */
export function headersForProgram(request: IncomingMessage, target: ProgramTarget): string[] {
  const headers: string[] = []
  const named = connectionNamed(request.headers.connection)
  for (const [name, value] of pairs(request.rawHeaders)) {
    const lower = name.toLowerCase()
    if (hopByHop.has(lower) || named.has(lower) || saidByNode.has(lower) || lower === 'expect') continue
    headers.push(name, value)
  }
  const chain = [request.headers['x-forwarded-for'], request.socket.remoteAddress].filter(Boolean).join(', ')
  const proto = request.headers['x-forwarded-proto']
  const host = request.headers['x-forwarded-host'] ?? request.headers.host
  headers.push('X-Forwarded-For', chain, 'X-Forwarded-Proto', proto === 'https' ? 'https' : 'http')
  if (typeof host === 'string') headers.push('X-Forwarded-Host', host)
  headers.push('X-Request-Id', requestIdOf(request))
  if (target.prefix) headers.push('X-Forwarded-Prefix', target.prefix)
  if (request.headers['transfer-encoding'] !== undefined) headers.push('Transfer-Encoding', 'chunked')
  else if (request.headers['content-length'] === undefined && mayHaveBody(request.method)) {
    headers.push('Content-Length', '0')
  }
  return headers
}

/** Headers of the program's answer for the client: all of its own end-to-end ones, plus what the node adds (protocol 05 §5.3). */
export function headersForClient(answer: IncomingMessage, added: string[]): string[] {
  const headers: string[] = []
  const named = connectionNamed(answer.headers.connection)
  for (const [name, value] of pairs(answer.rawHeaders)) {
    const lower = name.toLowerCase()
    if (hopByHop.has(lower) || named.has(lower) || setByNode.has(lower)) continue
    headers.push(name, value)
  }
  return [...headers, ...added]
}

/** Whether a body follows the request's headers. */
export function hasBody(request: IncomingMessage): boolean {
  if (request.headers['transfer-encoding'] !== undefined) return true
  return Number(request.headers['content-length'] ?? 0) > 0
}

function mayHaveBody(method: string | undefined): boolean {
  return method === 'POST' || method === 'PUT' || method === 'PATCH'
}

/** Header names a Connection header declares hop-by-hop; those a message cannot do without stay. */
function connectionNamed(connection: string | undefined): Set<string> {
  const names = (connection ?? '').toLowerCase().split(',')
  const needed = new Set(['host', 'content-length', 'content-type', 'authorization', 'cookie'])
  return new Set(names.map((name) => name.trim()).filter((name) => name !== '' && !needed.has(name)))
}

function* pairs(rawHeaders: string[]): Generator<[string, string]> {
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    yield [rawHeaders[i] as string, rawHeaders[i + 1] as string]
  }
}
