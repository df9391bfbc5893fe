import type { Socket } from 'node:net'
import { createServer, type Server, type TLSSocket } from 'node:tls'
import type { Logger } from 'pino'
import { listenAt } from './listen-at.ts'
import { type Place, Relay } from './relay.ts'

const MAX_CONNECTIONS = 1_024
const HELLO_MS = 10_000
/** People leave their terminals open. */
const IDLE_MS = 4 * 3_600_000

export interface SshByNameOptions {
  listen: Place
  /** Certificate chain and key, PEM. */
  certificate: string
  key: string
  /** Where ssh of the instance of this name is; null when it is nobody's here. */
  placeOf: (name: string) => Promise<Place | null>
  logger: Logger
}

/**
 * One port for ssh into every instance, by the name a client asks for (protocol 05 §8.5). Ssh itself tells no name, so
 * it comes inside TLS, which ends here; ssh goes on enciphered as before, and who may log in is for the instance.
 */
export class SshByName {
  readonly #options: SshByNameOptions
  readonly #server: Server
  /** What came in, whether or not it speaks TLS yet. */
  readonly #connections = new Set<Socket>()
  readonly #relay = new Relay(IDLE_MS)

  /** Throws when certificate and key are none. */
  constructor(options: SshByNameOptions) {
    this.#options = options
    const { certificate: cert, key, logger } = options
    this.#server = createServer({ cert, key, handshakeTimeout: HELLO_MS, allowHalfOpen: true })
    this.#server.maxConnections = MAX_CONNECTIONS
    this.#server.on('connection', (socket) => {
      this.#connections.add(socket)
      socket.once('close', () => this.#connections.delete(socket))
    })
    this.#server.on('tlsClientError', (error) => {
      logger.debug({ reason: error.message }, 'a connection for ssh did not speak TLS')
    })
    this.#server.on('secureConnection', (socket) => {
      this.#relay.hold(socket)
      this.#pass(socket).catch((error: Error) => {
        logger.debug({ reason: error.message }, 'a connection for ssh was not passed on')
        socket.destroy()
      })
    })
  }

  /** Listens; returns the port actually taken. */
  start(): Promise<number> {
    return listenAt(this.#server, this.#options.listen)
  }

  /** Closes every connection. */
  async stop(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve))
    this.#relay.close()
    for (const socket of this.#connections) socket.destroy()
    await closed
  }

  async #pass(client: TLSSocket): Promise<void> {
    const { servername } = client as { servername?: unknown }
    const name = typeof servername === 'string' ? servername.toLowerCase() : null
    const place = name === null ? null : await this.#options.placeOf(name)
    if (client.destroyed) return
    if (place) this.#relay.passOn(client, place)
    // Clients of ssh show what comes before the version of the server.
    else client.end(`No instance of the name ${name ?? '(none given)'} runs here\r\n`)
  }
}
