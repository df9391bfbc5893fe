import {
  type Agent,
  type ClientRequest,
  request as httpRequest,
  type IncomingMessage,
  ServerResponse,
} from 'node:http'
import type { Socket } from 'node:net'
import { type Duplex, pipeline } from 'node:stream'
import type { Logger } from 'pino'
import { AgentError, toAgentError } from '../errors.ts'
import type { AgentMetrics } from '../metrics.ts'
import { requestIdOf } from '../request-id.ts'
import type { VmHost } from '../vm-host.ts'
import { hasBody, headersForClient, headersForProgram } from './headers.ts'
import type { ProgramTarget } from './program-route.ts'

const LOG_LINES = 30
const MAX_ATTEMPTS = 3

/** A way to a VM's web server, for one call. */
export interface ProxyLease {
  facts: { hash: string; codeRef: string; seconds: number; http: boolean }
  connections: Agent & { createConnection: Agent['createConnection'] }
  release(): void
}

export interface ProgramProxyOptions {
  /** Starts what does not run yet. Throws AgentError. */
  acquire(hash: string): Promise<ProxyLease>
  vms: VmHost
  metrics: AgentMetrics
  logger: Logger
  serverHeader: string
}

/** The connection to the program was gone before the program saw the request: asking again is safe. */
class UnseenRequestError extends Error {}

/**
 * Full HTTP between clients and programs (protocol 05 §5, §24.2): streaming both ways, true status codes and
 * headers, raw paths, upgrades, and cancellation when the client goes.
 */
export class ProgramProxy {
  readonly #options: ProgramProxyOptions

  constructor(options: ProgramProxyOptions) {
    this.#options = options
  }

  /** Answers one request from its program; always answers, never throws. */
  async handle(request: IncomingMessage, response: ServerResponse, target: ProgramTarget): Promise<void> {
    const arrivedAt = performance.now()
    response.once('close', () => {
      this.#options.metrics.requests.inc({ status: `${Math.floor(response.statusCode / 100)}xx` })
    })
    try {
      for (let attempt = 1; ; attempt++) {
        const lease = await this.#options.acquire(target.hash)
        try {
          assertHttpEnabled(lease)
          await this.#forward(request, response, lease, target, arrivedAt)
          return
        } catch (error) {
          if (!(error instanceof UnseenRequestError) || attempt === MAX_ATTEMPTS) throw error
        } finally {
          lease.release()
        }
      }
    } catch (error) {
      await this.refuse(response, error, target.hash)
    }
  }

  /** Connects an upgraded connection (WebSocket) with its program, bytes both ways. */
  async upgrade(
    request: IncomingMessage,
    socket: Socket,
    head: Buffer,
    target: ProgramTarget,
  ): Promise<void> {
    socket.on('error', () => socket.destroy())
    let lease: ProxyLease | undefined
    try {
      lease = await this.#options.acquire(target.hash)
      assertHttpEnabled(lease)
      await this.#forwardUpgrade(request, socket, head, lease, target)
    } catch (error) {
      await this.refuse(responseOn(request, socket), error, target.hash)
    } finally {
      lease?.release()
    }
  }

  /** Writes the JSON refusal for a call the node answers itself (protocol 05 §5.4). */
  async refuse(response: ServerResponse, error: unknown, hash?: string): Promise<void> {
    const refusal = error instanceof UnseenRequestError ? crashed('') : toAgentError(error)
    this.#options.metrics.refusals.inc({ code: refusal.code })
    const requestId = requestIdOf(response.req)
    if (refusal.code === 'internal')
      this.#options.logger.error({ err: refusal.cause ?? refusal, hash, requestId }, 'call failed')
    if (response.headersSent || response.destroyed) {
      response.destroy()
      return
    }
    const body = JSON.stringify(refusal.toBody())
    const headers = ['Server', this.#options.serverHeader, 'Content-Type', 'application/json; charset=utf-8']
    headers.push('Content-Length', String(Buffer.byteLength(body)), 'X-Request-Id', requestId)
    if (hash) headers.push('Aleph-Program-ItemHash', hash)
    if (refusal.retryAfterSeconds !== undefined)
      headers.push('Retry-After', String(refusal.retryAfterSeconds))
    response.writeHead(refusal.status, headers)
    response.end(body)
  }

  #forward(
    request: IncomingMessage,
    response: ServerResponse,
    lease: ProxyLease,
    target: ProgramTarget,
    arrivedAt: number,
  ): Promise<void> {
    const withBody = hasBody(request)
    const repeatable = !withBody && /^(GET|HEAD|OPTIONS)$/.test(request.method ?? '')
    return new Promise((resolve, reject) => {
      if (response.destroyed) return resolve()
      const upstream = this.#open(request, lease, target, headersForProgram(request, target), repeatable)
      const deadline = armDeadline(upstream, lease, reject)
      const onClientGone = () => {
        deadline.stop()
        upstream.destroy()
        resolve()
      }
      response.once('close', onClientGone)
      let bodySent = false
      upstream.once('socket', () => {
        bodySent = withBody
        if (!withBody) return upstream.end()
        request.on('data', deadline.restart)
        request.pipe(upstream)
      })
      upstream.once('response', (answer) => {
        deadline.stop()
        request.off('data', deadline.restart)
        response.off('close', onClientGone)
        this.#options.metrics.firstByte.observe((performance.now() - arrivedAt) / 1000)
        this.#sendAnswer(answer, response, lease, resolve)
      })
      upstream.on('error', (error: Error) => {
        deadline.stop()
        response.off('close', onClientGone)
        request.unpipe(upstream)
        if (!bodySent && (isGone(error) || (repeatable && upstream.reusedSocket))) {
          reject(new UnseenRequestError(error.message))
        } else this.#whyNoAnswer(lease.facts.hash, error).then(reject, reject)
      })
    })
  }

  #sendAnswer(answer: IncomingMessage, response: ServerResponse, lease: ProxyLease, done: () => void): void {
    response.writeHead(
      answer.statusCode ?? 502,
      answer.statusMessage ?? '',
      headersForClient(answer, this.#addedHeaders(response.req, lease)),
    )
    // Server-sent events must reach the client although no body byte is there yet.
    response.flushHeaders()
    pipeline(answer, response, () => done())
  }

  #forwardUpgrade(
    request: IncomingMessage,
    socket: Socket,
    head: Buffer,
    lease: ProxyLease,
    target: ProgramTarget,
  ): Promise<void> {
    return new Promise((resolve, reject) => {
      const upgrade = ['Connection', 'Upgrade', 'Upgrade', request.headers.upgrade ?? 'websocket']
      const headers = [...headersForProgram(request, target), ...upgrade]
      const upstream = this.#open(request, lease, target, headers, false)
      const deadline = armDeadline(upstream, lease, reject)
      const onClientGone = () => {
        deadline.stop()
        upstream.destroy()
        resolve()
      }
      socket.once('close', onClientGone)
      upstream.once('upgrade', (answer, guest, guestHead) => {
        deadline.stop()
        const added = [...this.#addedHeaders(request, lease), ...upgrade]
        socket.write(headText(answer, headersForClient(answer, added)))
        if (guestHead.length > 0) socket.write(guestHead)
        if (head.length > 0) guest.write(head)
        join(socket, guest, resolve)
      })
      upstream.once('response', (answer) => {
        deadline.stop()
        socket.off('close', onClientGone)
        this.#sendAnswer(answer, responseOn(request, socket), lease, resolve)
      })
      upstream.on('error', (error: Error) => {
        deadline.stop()
        socket.off('close', onClientGone)
        this.#whyNoAnswer(lease.facts.hash, error).then(reject, reject)
      })
      upstream.end()
    })
  }

  #open(
    request: IncomingMessage,
    lease: ProxyLease,
    target: ProgramTarget,
    headers: string[],
    pooled: boolean,
  ): ClientRequest {
    const how = pooled
      ? { agent: lease.connections }
      : { createConnection: lease.connections.createConnection.bind(lease.connections) }
    return httpRequest({ ...how, method: request.method, path: target.path, headers, setHost: false })
  }

  #addedHeaders(request: IncomingMessage, lease: ProxyLease): string[] {
    const { hash, codeRef } = lease.facts
    return [
      'Server',
      this.#options.serverHeader,
      'Aleph-Program-ItemHash',
      hash,
      'Aleph-Program-Code-Ref',
      codeRef,
      'X-Request-Id',
      requestIdOf(request),
    ]
  }

  async #whyNoAnswer(hash: string, error: Error): Promise<AgentError> {
    if ((error as NodeJS.ErrnoException).code?.startsWith('HPE_')) {
      return new AgentError('program_failed', `The program sent an invalid HTTP answer: ${error.message}`)
    }
    const lines: string[] = []
    if (this.#options.vms.get(hash)) {
      for await (const { text } of this.#options.vms.logs(hash, { limit: LOG_LINES })) lines.push(text)
    }
    return crashed(lines.join('\n'), error)
  }
}

function assertHttpEnabled(lease: ProxyLease): void {
  if (!lease.facts.http) {
    throw new AgentError(
      'http_not_enabled',
      'The program does not take HTTP calls: its message says on.http is false',
    )
  }
}

function crashed(log: string, cause?: unknown): AgentError {
  const message = 'The program closed the connection without an answer; it may have crashed'
  return new AgentError('program_crashed', message, { log, cause })
}

function isGone(error: Error): boolean {
  return (error as NodeJS.ErrnoException).code === 'vm_not_running'
}

/** Limit to the first byte of an answer, counted from the last byte of the request that was taken. */
function armDeadline(upstream: ClientRequest, lease: ProxyLease, reject: (error: Error) => void) {
  const timer = setTimeout(() => {
    reject(new AgentError('program_timeout', 'Program did not respond within `resource.seconds`'))
    upstream.destroy()
  }, lease.facts.seconds * 1000)
  return { restart: () => timer.refresh(), stop: () => clearTimeout(timer) }
}

/** Bytes both ways until either side ends; `done` once both are closed. */
function join(client: Duplex, guest: Duplex, done: () => void): void {
  pipeline(client, guest, () => guest.destroy())
  pipeline(guest, client, () => {
    client.destroy()
    done()
  })
}

function headText(answer: IncomingMessage, headers: string[]): string {
  let text = `HTTP/1.1 ${answer.statusCode} ${answer.statusMessage}\r\n`
  for (let i = 0; i + 1 < headers.length; i += 2) text += `${headers[i]}: ${headers[i + 1]}\r\n`
  return `${text}\r\n`
}

/** An ordinary HTTP answer on a connection that asked for an upgrade; the connection ends with it. */
export function responseOn(request: IncomingMessage, socket: Socket): ServerResponse {
  const response = new ServerResponse(request)
  response.shouldKeepAlive = false
  response.assignSocket(socket)
  response.once('finish', () => socket.end())
  return response
}
