import { lookup as resolveName } from 'node:dns'
import { type IncomingMessage, type RequestOptions, request as requestHttp } from 'node:http'
import { request as requestHttps } from 'node:https'
import { isIP, type LookupFunction } from 'node:net'
import { isPublicIp } from '@aleph-ts/protocol'

export interface RegisteredRequest {
  method?: 'GET' | 'POST'
  headers?: Record<string, string>
  body?: Uint8Array
  signal: AbortSignal
  /** Longest answer that is read. */
  maxBytes: number
}

export interface RegisteredAnswer {
  status: number
  headers: IncomingMessage['headers']
  body: Buffer
}

/** An address that somebody registered leads into a private network. */
export class PrivateAddressError extends Error {
  override readonly name = 'PrivateAddressError'
  readonly code = 'private_address'
}

/** Sends a request to an address that somebody registered. */
export type AskRegistered = (url: string | URL, request: RegisteredRequest) => Promise<RegisteredAnswer>

/**
 * Anybody may register any address, so that a node's requests could be turned against its own network: names are
 * resolved here, only public addresses are connected to, and the very address that was judged. Redirects are answers
 * like others.
 *
 * @param options.allowPrivate for networks of one's own, where nodes have private addresses
 * @returns a function that rejects with {@link PrivateAddressError}, or with Node's error of the connection
 */
export function registeredRequests({ allowPrivate }: { allowPrivate: boolean }): AskRegistered {
  const isAllowed = allowPrivate ? () => true : isPublicIp
  const lookup: LookupFunction = (name, options, callback) => {
    resolveName(name, { ...options, all: true }, (error, found) => {
      if (error) return callback(error, '', 4)
      const addresses = found.filter(({ address }) => isAllowed(address))
      const [first] = addresses
      if (!first) return callback(closed(name), '', 4)
      return options.all ? callback(null, addresses) : callback(null, first.address, first.family)
    })
  }
  return async (target, { method = 'GET', headers = {}, body, signal, maxBytes }) => {
    const url = new URL(target)
    const host = url.hostname.replace(/^\[(.*)\]$/, '$1')
    // What is an address already is not looked up.
    if (isIP(host) !== 0 && !isAllowed(host)) throw closed(host)
    const length: Record<string, string> = body ? { 'content-length': String(body.byteLength) } : {}
    const response = await send(url, { method, headers: { ...headers, ...length }, signal, lookup }, body)
    const parts: Buffer[] = []
    let size = 0
    for await (const part of response as AsyncIterable<Buffer>) {
      size += part.byteLength
      if (size > maxBytes) throw new RangeError(`${url.pathname} answered more than ${maxBytes} bytes`)
      parts.push(part)
    }
    return { status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(parts) }
  }
}

function send(url: URL, options: RequestOptions, body: Uint8Array | undefined): Promise<IncomingMessage> {
  const request = url.protocol === 'https:' ? requestHttps : requestHttp
  return new Promise((resolve, reject) => {
    request(url, { ...options, agent: false }, resolve)
      .once('error', reject)
      .end(body)
  })
}

function closed(host: string): PrivateAddressError {
  return new PrivateAddressError(`${host} is no public address: this node connects to public ones only`)
}
