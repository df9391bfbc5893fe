import { createServer, type Server, type Socket } from 'node:net'
import type { Logger } from 'pino'
import { readClientHello } from './client-hello.ts'
import { listenAt } from './listen-at.ts'
import { type Place, Relay } from './relay.ts'

const MAX_CONNECTIONS = 4_096
const MAX_HELLO = 64 * 1024
const HELLO_MS = 10_000
const IDLE_MS = 600_000
/** Fatal alert `unrecognized_name` (RFC 6066 §3). */
const UNRECOGNIZED_NAME = Buffer.from([21, 3, 3, 0, 2, 2, 112])

export interface TlsPassthroughOptions {
  listen: Place
  /** Where connections for a name go; null when it is nobody's here. */
  placeOf: (name: string) => Promise<Place | null>
  /** Where all others go: what ends TLS for the node itself. Null: they are refused. */
  fallback: Place | null
  logger: Logger
}

/**
 * Passes TLS connections on by the name they ask for, without deciphering them: an instance that has a domain ends TLS
 * itself, with a certificate of its own (protocol 05 §8.5).
 */
export class TlsPassthrough {
  readonly #options: TlsPassthroughOptions
  readonly #server: Server
  readonly #relay = new Relay(IDLE_MS)

  constructor(options: TlsPassthroughOptions) {
    this.#options = options
    this.#server = createServer({ allowHalfOpen: true }, (socket) => {
      this.#relay.hold(socket)
      this.#pass(socket).catch((error: Error) => {
        options.logger.debug({ reason: error.message }, 'a TLS connection was not passed on')
        socket.destroy()
      })
    })
    this.#server.maxConnections = MAX_CONNECTIONS
  }

  /** Listens; returns the port actually taken. */
  start(): Promise<number> {
    return listenAt(this.#server, this.#options.listen)
  }

  /** Closes every connection. */
  async stop(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve))
    this.#relay.close()
    await closed
  }

  async #pass(client: Socket): Promise<void> {
    const { placeOf, fallback } = this.#options
    const { name, bytes } = await readHello(client)
    const place = (name === null ? null : await placeOf(name)) ?? fallback
    if (client.destroyed) return
    if (place) this.#relay.passOn(client, place, bytes)
    else client.end(UNRECOGNIZED_NAME)
  }
}

/** The first bytes of a connection, and whom it is for. Rejects when that is not told in time. */
function readHello(socket: Socket): Promise<{ name: string | null; bytes: Buffer }> {
  return new Promise((resolve, reject) => {
    let bytes = Buffer.alloc(0)
    const timer = setTimeout(() => settle(() => reject(new Error('no TLS hello in time'))), HELLO_MS)
    const settle = (answer: () => void) => {
      clearTimeout(timer)
      socket.pause().off('data', onData).off('close', onClose).off('end', onClose)
      answer()
    }
    const onClose = () => settle(() => reject(new Error('closed before its TLS hello')))
    const onData = (chunk: Buffer) => {
      bytes = Buffer.concat([bytes, chunk])
      const hello = readClientHello(bytes)
      if (hello.kind === 'hello') settle(() => resolve({ name: hello.name, bytes }))
      else if (hello.kind === 'invalid' || bytes.length > MAX_HELLO) {
        settle(() => reject(new Error('does not begin with a TLS hello')))
      }
    }
    socket.on('data', onData).on('close', onClose).on('end', onClose)
  })
}
