import { lookup as dnsLookup } from 'node:dns'
import {
  createServer,
  request as httpRequest,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http'
import { connect, isIP, type LookupFunction, Socket } from 'node:net'
import { type Duplex, pipeline } from 'node:stream'
import type { Logger } from 'pino'
import type { AgentMetrics } from '../metrics.ts'
import { isPublicAddress } from './public-address.ts'

const MAX_STREAMS_PER_VM = 128
const CONNECT_TIMEOUT_MS = 10_000
const IDLE_TIMEOUT_MS = 300_000
/** Mail submission from rented machines is how networks end up on block lists. */
const closedPorts = new Set([25])

export interface EgressProxyOptions {
  logger: Logger
  metrics: AgentMetrics
  /** Which addresses guests may reach; public ones unless told otherwise. */
  isAllowed?: (address: string) => boolean
}

/** A destination guests may not reach. */
class ClosedDestinationError extends Error {
  override readonly name = 'ClosedDestinationError'
}

/**
 * The only way out of a guest: an HTTP proxy (absolute-form requests and CONNECT) spoken over streams of the
 * guest channel. Names are resolved here and the connection is made to the very address that was checked,
 * so a name cannot point elsewhere between check and use.
 */
export class EgressProxy {
  readonly #options: EgressProxyOptions
  readonly #isAllowed: (address: string) => boolean
  readonly #server: Server
  readonly #streams = new Map<string, Set<Duplex>>()

  constructor(options: EgressProxyOptions) {
    this.#options = options
    this.#isAllowed = options.isAllowed ?? isPublicAddress
    this.#server = createServer({ maxHeaderSize: 16_384 }, (request, response) =>
      this.#request(request, response),
    )
    this.#server.on('connect', (request, stream, head) => this.#connect(request, stream, head))
    this.#server.on('clientError', (_error, stream) => stream.destroy())
  }

  /** Takes over one stream a guest opened; ends it when the VM has too many. */
  handle(vmId: string, stream: Duplex): void {
    let streams = this.#streams.get(vmId)
    if (!streams) {
      streams = new Set()
      this.#streams.set(vmId, streams)
    }
    const open = streams
    stream.on('error', () => stream.destroy())
    if (open.size >= MAX_STREAMS_PER_VM) {
      this.#count('limit')
      stream.end('HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n')
      return
    }
    open.add(stream)
    stream.once('close', () => {
      open.delete(stream)
      if (open.size === 0) this.#streams.delete(vmId)
    })
    this.#server.emit('connection', stream)
  }

  /** Ends every stream of every guest. */
  close(): void {
    for (const streams of this.#streams.values()) for (const stream of streams) stream.destroy()
    this.#streams.clear()
  }

  #request(request: IncomingMessage, response: ServerResponse): void {
    const url = URL.parse(request.url ?? '')
    if (url?.protocol !== 'http:') {
      response
        .writeHead(400, { 'content-type': 'text/plain' })
        .end('This is a proxy: send an absolute http:// URL\n')
      return
    }
    const headers: string[] = []
    for (let i = 0; i + 1 < request.rawHeaders.length; i += 2) {
      const name = request.rawHeaders[i] as string
      if (!/^(proxy-.*|connection|keep-alive)$/i.test(name))
        headers.push(name, request.rawHeaders[i + 1] as string)
    }
    const host = bareHost(url.hostname)
    const port = url.port === '' ? 80 : Number(url.port)
    const upstream = httpRequest({
      createConnection: () => this.#dial(host, port),
      method: request.method,
      path: `${url.pathname}${url.search}`,
      headers,
    })
    upstream.once('response', (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.statusMessage ?? '', answer.rawHeaders)
      pipeline(answer, response, () => undefined)
    })
    upstream.once('error', (error) => {
      this.#refused(host, error)
      if (response.headersSent) response.destroy()
      else response.writeHead(statusOf(error), { 'content-type': 'text/plain' }).end(`${error.message}\n`)
    })
    response.once('close', () => upstream.destroy())
    pipeline(request, upstream, () => undefined)
  }

  #connect(request: IncomingMessage, stream: Duplex, head: Buffer): void {
    stream.on('error', () => stream.destroy())
    const match = /^(.+):(\d{1,5})$/.exec(request.url ?? '')
    if (!match) {
      stream.end('HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n')
      return
    }
    const host = bareHost(match[1] as string)
    const socket = this.#dial(host, Number(match[2]))
    let connected = false
    socket.once('connect', () => {
      connected = true
      this.#count('connected')
      stream.write('HTTP/1.1 200 Connection Established\r\n\r\n')
      if (head.length > 0) socket.write(head)
      pipeline(stream, socket, () => socket.destroy())
      pipeline(socket, stream, () => stream.destroy())
    })
    socket.once('error', (error) => {
      this.#refused(host, error)
      if (connected) return stream.destroy()
      const reason = statusOf(error) === 403 ? '403 Forbidden' : '502 Bad Gateway'
      stream.end(`HTTP/1.1 ${reason}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`)
    })
    stream.once('close', () => socket.destroy())
  }

  /** A connection to a checked address; errors arrive as its 'error' event. */
  #dial(host: string, port: number): Socket {
    const lookup: LookupFunction = (name, options, callback) => {
      dnsLookup(name, { ...options, all: true }, (error, addresses) => {
        const allowed = error ? [] : addresses.filter(({ address }) => this.#isAllowed(address))
        const [first] = allowed
        if (error) return callback(error, '', 4)
        if (!first) return callback(closed(name), '', 4)
        return options.all ? callback(null, allowed) : callback(null, first.address, first.family)
      })
    }
    if (closedPorts.has(port) || (isIP(host) !== 0 && !this.#isAllowed(host))) {
      return new Socket().destroy(closed(`${host}:${port}`))
    }
    const socket = connect({ host, port, lookup, autoSelectFamily: true })
    const limit = setTimeout(
      () => socket.destroy(new Error(`no connection to ${host} in time`)),
      CONNECT_TIMEOUT_MS,
    )
    socket.once('close', () => clearTimeout(limit))
    socket.once('connect', () => {
      clearTimeout(limit)
      if (!this.#isAllowed(socket.remoteAddress ?? '')) socket.destroy(closed(host))
    })
    socket.setTimeout(IDLE_TIMEOUT_MS, () => socket.destroy())
    return socket
  }

  #refused(host: string, error: Error): void {
    this.#count(error instanceof ClosedDestinationError ? 'closed' : 'failed')
    this.#options.logger.debug({ host, reason: error.message }, 'egress connection refused or failed')
  }

  #count(outcome: string): void {
    this.#options.metrics.egressConnections.inc({ outcome })
  }
}

function bareHost(host: string): string {
  return host.replace(/^\[(.*)\]$/, '$1')
}

function closed(destination: string): ClosedDestinationError {
  return new ClosedDestinationError(`${destination} is not reachable from here: only public addresses are`)
}

function statusOf(error: Error): number {
  return error instanceof ClosedDestinationError ? 403 : 502
}
