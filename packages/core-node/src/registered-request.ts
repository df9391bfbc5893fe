import {
  Agent as HttpAgent,
  type IncomingMessage,
  type RequestOptions,
  request as requestHttp,
} from 'node:http'
import { Agent as HttpsAgent, request as requestHttps } from 'node:https'
import { isIP } from 'node:net'
import { isPublicIp } from '@aleph-ts/protocol'
import { checkedLookup, PrivateAddressError } from './checked-lookup.ts'

export interface OpenRequest {
  method?: 'GET' | 'POST'
  headers?: Record<string, string>
  body?: Uint8Array
  /** Ends the answer, too. */
  signal: AbortSignal
}

export interface RegisteredRequest extends OpenRequest {
  /** Longest answer that is read. */
  maxBytes: number
}

export interface RegisteredAnswer {
  status: number
  headers: IncomingMessage['headers']
  body: Buffer
}

type AgentOf = (url: URL) => NonNullable<RequestOptions['agent']>

/** Connections are used again, but not when the other side may be about to close them. */
const keptOpen = { keepAlive: true, timeout: 4_000, maxFreeSockets: 64 }

/** Sends a request to an address that somebody registered; resolves when the answer begins, whose body must be read. */
export type OpenRegistered = (url: string | URL, request: OpenRequest) => Promise<IncomingMessage>

/** Sends a request to an address that somebody registered, and reads the answer. */
export type AskRegistered = (url: string | URL, request: RegisteredRequest) => Promise<RegisteredAnswer>

/**
 * Anybody may register any address, so that a node's requests could be turned against its own network: names are
 * resolved here, only public addresses are connected to, and the very address that was judged. Redirects are answers
 * like others.
 *
 * @param options.allowPrivate for networks of one's own, where nodes have private addresses
 * @returns functions that reject with {@link PrivateAddressError}, or with Node's error of the connection
 */
export function registeredRequests({ allowPrivate }: { allowPrivate: boolean }): {
  ask: AskRegistered
  open: OpenRegistered
} {
  const isAllowed = allowPrivate ? () => true : isPublicIp
  const lookup = checkedLookup((address) => isAllowed(address))
  const begin = (target: string | URL, asked: OpenRequest, agentOf: AgentOf): Promise<IncomingMessage> => {
    const { method = 'GET', headers = {}, body, signal } = asked
    const url = new URL(target)
    const host = url.hostname.replace(/^\[(.*)\]$/, '$1')
    // What is an address already is not looked up.
    if (isIP(host) !== 0 && !isAllowed(host)) return Promise.reject(new PrivateAddressError(host))
    const length: Record<string, string> = body ? { 'content-length': String(body.byteLength) } : {}
    const agent = agentOf(url)
    return send(url, { method, headers: { ...headers, ...length }, signal, lookup, agent }, body)
  }
  const [http, https] = [new HttpAgent(keptOpen), new HttpsAgent(keptOpen)]
  const open: OpenRegistered = (target, request) =>
    begin(target, request, ({ protocol }) => (protocol === 'https:' ? https : http))
  const ask: AskRegistered = async (target, { maxBytes, ...request }) => {
    // Each on a connection of its own: how long that takes is measured.
    const response = await begin(target, request, () => false)
    const parts: Buffer[] = []
    let size = 0
    for await (const part of response as AsyncIterable<Buffer>) {
      size += part.byteLength
      if (size > maxBytes)
        throw new RangeError(`${new URL(target).pathname} answered more than ${maxBytes} bytes`)
      parts.push(part)
    }
    return { status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(parts) }
  }
  return { ask, open }
}

function send(url: URL, options: RequestOptions, body: Uint8Array | undefined): Promise<IncomingMessage> {
  const request = url.protocol === 'https:' ? requestHttps : requestHttp
  return new Promise((resolve, reject) => {
    request(url, options, resolve).once('error', reject).end(body)
  })
}
