import { Agent, type ClientRequest } from 'node:http'
import type { Duplex } from 'node:stream'
import type { RunningVm } from '../../supervisor/index.ts'

const MAX_CONNECTIONS = 256
const MAX_IDLE = 32
/** Shorter than the keep-alive time of common servers (Node's is 5 s), so that we close first. */
const IDLE_MS = 3_000

/** Keep-alive connections to one VM's HTTP server, over the guest channel instead of a network. */
export class GuestConnections extends Agent {
  readonly #vm: RunningVm
  readonly #idle = new WeakMap<Duplex, { timer: NodeJS.Timeout; onEnd: () => void }>()

  constructor(vm: RunningVm) {
    super({ keepAlive: true, maxSockets: MAX_CONNECTIONS, maxFreeSockets: MAX_IDLE })
    this.#vm = vm
  }

  /** A fresh stream to the program; failures arrive through the callback, never as an exception. */
  override createConnection(
    _options: unknown,
    callback?: (error: Error | null, stream: Duplex) => void,
  ): Duplex | undefined {
    try {
      // `reuseSocket` of the base class holds sockets to the event loop; a stream has nothing to hold.
      return Object.assign(this.#vm.openHttp(), { ref: () => undefined })
    } catch (error) {
      callback?.(error as Error, undefined as never)
      return undefined
    }
  }

  /** Called with a connection whose answer is complete; false ends it. */
  override keepSocketAlive(stream: Duplex): boolean {
    if (stream.readableEnded || stream.destroyed) return false
    // Unlike a socket, a stream whose far side has closed stays half open until somebody ends it.
    const onEnd = () => stream.destroy()
    const timer = setTimeout(onEnd, IDLE_MS)
    timer.unref()
    stream.once('end', onEnd)
    this.#idle.set(stream, { timer, onEnd })
    return true
  }

  override reuseSocket(stream: Duplex, request: ClientRequest): void {
    super.reuseSocket(stream, request)
    const idle = this.#idle.get(stream)
    if (!idle) return
    clearTimeout(idle.timer)
    stream.off('end', idle.onEnd)
  }
}
