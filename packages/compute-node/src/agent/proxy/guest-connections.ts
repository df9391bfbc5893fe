import { Agent } from 'node:http'
import type { Duplex } from 'node:stream'
import type { RunningVm } from '../../supervisor/index.ts'

const MAX_CONNECTIONS = 256
const MAX_IDLE = 32
/** Shorter than the keep-alive time of common servers (Node's is 5 s), so that we close first. */
const IDLE_MS = 3_000

/** Keep-alive connections to one VM's HTTP server, over the guest channel instead of a network. */
export class GuestConnections extends Agent {
  readonly #vm: RunningVm
  readonly #idle = new WeakMap<Duplex, NodeJS.Timeout>()

  constructor(vm: RunningVm) {
    super({ keepAlive: true, maxSockets: MAX_CONNECTIONS, maxFreeSockets: MAX_IDLE })
    this.#vm = vm
  }

  override createConnection(): Duplex {
    return this.#vm.openHttp()
  }

  override keepSocketAlive(stream: Duplex): boolean {
    const timer = setTimeout(() => stream.destroy(), IDLE_MS)
    timer.unref()
    this.#idle.set(stream, timer)
    return true
  }

  override reuseSocket(stream: Duplex): void {
    clearTimeout(this.#idle.get(stream))
  }
}
