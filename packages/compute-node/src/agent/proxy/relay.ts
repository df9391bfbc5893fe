import { connect, type Socket } from 'node:net'

const CONNECT_MS = 5_000

export interface Place {
  host: string
  port: number
}

/** Connections that are passed on byte for byte, until they are all closed. */
export class Relay {
  readonly #idleMs: number
  readonly #sockets = new Set<Socket>()

  /** @param idleMs how long both sides may be silent */
  constructor(idleMs: number) {
    this.#idleMs = idleMs
  }

  /** Lets a connection end by error, silence or `close` without further ado. */
  hold(socket: Socket): void {
    this.#sockets.add(socket)
    socket.setTimeout(this.#idleMs, () => socket.destroy())
    socket.on('error', () => socket.destroy())
    socket.once('close', () => this.#sockets.delete(socket))
  }

  /** Connects a client with a place: each gets what the other says, after `firstBytes`, and ends when the other ends. */
  passOn(client: Socket, place: Place, firstBytes?: Buffer): void {
    const upstream = connect({ ...place, allowHalfOpen: true })
    this.hold(upstream)
    const impatience = setTimeout(() => upstream.destroy(), CONNECT_MS)
    upstream.once('connect', () => clearTimeout(impatience))
    upstream.once('close', () => clearTimeout(impatience))
    if (firstBytes) upstream.write(firstBytes)
    client.pipe(upstream).pipe(client)
    client.once('close', () => upstream.destroy())
    upstream.once('close', () => client.destroy())
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy()
  }
}
