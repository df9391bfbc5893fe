import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Logger } from 'pino'
import { type WebSocket, WebSocketServer } from 'ws'
import { z } from 'zod'
import { AgentError } from '../errors.ts'
import type { VmHost } from '../vm-host.ts'
import {
  assertKnown,
  assertReference,
  decodedPath,
  mayActOn,
  type OwnerAccessOptions,
  queryOf,
} from './owner-access.ts'
import { authenticateOwner, OwnerAuthError } from './owner-auth.ts'

const STREAM_PATH = /^\/control\/machine\/([^/?]+)\/stream_logs(?:\?|$)/
const MAX_FIRST_FRAME_BYTES = 64 * 1024
const AUTH_TIMEOUT_MS = 20_000
/** A viewer slower than this loses its connection rather than the node its memory. */
const MAX_BUFFERED_BYTES = 4 * 1024 * 1024
const MAX_VIEWERS = 512
const PING_MS = 30_000

const signedHeader = z.union([z.string(), z.record(z.string(), z.unknown())])
const firstFrame = z.object({
  auth: z.object({ 'X-SignedPubKey': signedHeader, 'X-SignedOperation': signedHeader }),
})

export interface LogStreamsOptions extends OwnerAccessOptions {
  vms: VmHost
  logger: Logger
}

/** `GET …/stream_logs`: a VM's log by WebSocket, its history first and then live (protocol 05 §10.3). */
export class LogStreams {
  readonly #options: LogStreamsOptions
  readonly #server = new WebSocketServer({ noServer: true, maxPayload: MAX_FIRST_FRAME_BYTES })
  readonly #viewers = new Set<WebSocket>()

  constructor(options: LogStreamsOptions) {
    this.#options = options
  }

  /** Takes an upgrade request when it is for a log; false when it is not. */
  takes(request: IncomingMessage, socket: Duplex, head: Buffer): boolean {
    const ref = STREAM_PATH.exec(request.url ?? '')?.[1]
    if (ref === undefined) return false
    if (this.#viewers.size >= MAX_VIEWERS) {
      socket.end('HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n')
      return true
    }
    this.#server.handleUpgrade(request, socket, head, (viewer) => {
      this.#viewers.add(viewer)
      viewer.once('close', () => this.#viewers.delete(viewer))
      viewer.on('error', () => viewer.terminate())
      this.#serve(viewer, ref, request.url ?? '').catch((error: unknown) => {
        this.#options.logger.warn({ err: error, ref }, 'a log stream ended badly')
        viewer.terminate()
      })
    })
    return true
  }

  close(): void {
    for (const viewer of this.#viewers) viewer.close(1001)
  }

  async #serve(viewer: WebSocket, ref: string, url: string): Promise<void> {
    const reason = await this.#refusal(viewer, ref, url)
    if (viewer.readyState !== viewer.OPEN) return
    if (reason !== null) {
      viewer.send(JSON.stringify({ status: 'failed', reason }))
      viewer.close(1000)
      return
    }
    viewer.send(JSON.stringify({ status: 'connected' }))
    const state = this.#options.vms.get(ref)?.state
    if (state === 'running' || state === 'stopping' || state === 'booting') return this.#live(viewer, ref)
    await this.#past(viewer, ref)
    system(viewer, 'VM is not running, past logs sent')
    viewer.close(1000)
  }

  /** Why the viewer may not look; null when it may. */
  async #refusal(viewer: WebSocket, ref: string, url: string): Promise<string | null> {
    try {
      const frame = firstFrame.safeParse(JSON.parse(await firstMessage(viewer)))
      if (!frame.success) return "missing 'auth' key in message"
      const { auth } = frame.data
      assertReference(ref)
      const now = Date.now() / 1000
      const sender = authenticateOwner({
        signedPubKey: asText(auth['X-SignedPubKey']),
        signedOperation: asText(auth['X-SignedOperation']),
        // Clients sign either method for this route: the path alone is bound (protocol 05 §4.2).
        method: 'any',
        path: decodedPath(url),
        domain: this.#options.domainName,
        query: queryOf(url),
        body: '',
        now,
        takeNonce: (address, nonce, until) => this.#options.nonces.take(address, nonce, until, now),
      })
      assertKnown(ref, this.#options)
      return (await mayActOn(sender, ref, this.#options.messages)) ? null : 'unauthorized sender'
    } catch (error) {
      if (error instanceof SyntaxError) return 'the first message is not JSON'
      if (error instanceof OwnerAuthError || error instanceof AgentError) return error.message
      throw error
    }
  }

  async #past(viewer: WebSocket, ref: string): Promise<void> {
    for await (const { text } of this.#options.vms.logs(ref)) send(viewer, 'stdout', text)
  }

  async #live(viewer: WebSocket, ref: string): Promise<void> {
    const gone = new AbortController()
    viewer.once('close', () => gone.abort())
    const ping = setInterval(() => viewer.ping(), PING_MS)
    try {
      for await (const { text } of this.#options.vms.logs(ref, { follow: true, signal: gone.signal })) {
        if (viewer.bufferedAmount > MAX_BUFFERED_BYTES) return viewer.close(1013, 'too slow')
        send(viewer, 'stdout', text)
      }
    } finally {
      clearInterval(ping)
    }
  }
}

function firstMessage(viewer: WebSocket): Promise<string> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      reject(new AgentError('unauthenticated', 'no authentication in time'))
    }, AUTH_TIMEOUT_MS)
    viewer.once('close', () => clearTimeout(timer))
    viewer.once('message', (data) => {
      clearTimeout(timer)
      resolve(String(data))
    })
  })
}

function asText(header: string | Record<string, unknown>): string {
  return typeof header === 'string' ? header : JSON.stringify(header)
}

function send(viewer: WebSocket, type: 'stdout' | 'system', message: string): void {
  viewer.send(JSON.stringify({ type, message }))
}

function system(viewer: WebSocket, message: string): void {
  send(viewer, 'system', message)
}
