import { Agent } from 'node:http'
import { connect, type Socket } from 'node:net'
import type { VmInfo } from '../../supervisor/index.ts'
import { AgentError } from '../errors.ts'
import type { ProxyLease } from '../proxy/program-proxy.ts'
import type { Place } from '../proxy/relay.ts'
import type { VmHost } from '../vm-host.ts'

const WEB_PORT = 80
const CONNECT_MS = 5_000
/** Seconds an instance gets to the first byte of an answer. */
const ANSWER_SECONDS = 60

/** The web servers of instances, which the node shows under their owners' domains (protocol 05 §8.5). */
export class InstanceWeb {
  readonly #vms: VmHost
  readonly #forwardHost: string

  constructor(vms: VmHost, forwardHost: string) {
    this.#vms = vms
    this.#forwardHost = forwardHost
  }

  /** Whether the VM is an instance that runs here. */
  has(hash: string): boolean {
    const info = this.#vms.get(hash)
    return info?.type === 'instance' && info.state === 'running'
  }

  /** The way to port 80 of a running instance. Throws AgentError `http_not_enabled` when there is none. */
  acquire(hash: string): ProxyLease {
    const place = this.placeOf(hash, WEB_PORT)
    if (!place) {
      throw new AgentError(
        'http_not_enabled',
        'The instance has no port 80 for its domain: name it in your port-forwarding aggregate',
      )
    }
    return {
      facts: { hash, codeRef: '', seconds: ANSWER_SECONDS, http: true },
      connections: new InstanceConnections(place),
      release: () => {},
    }
  }

  /** Where a port of a running instance is reached from this host; null when it is not. */
  placeOf(hash: string, port: number): Place | null {
    if (!this.has(hash)) return null
    const { link, forwards } = this.#vms.get(hash) as VmInfo
    if (link) return { host: link.ipv4.address, port }
    const forward = forwards?.find(({ guest, tcp }) => guest === port && tcp)
    return forward ? { host: this.#forwardHost, port: forward.host } : null
  }
}

/** Connections to one place, whatever the request says; none is kept. */
class InstanceConnections extends Agent {
  readonly #place: Place

  constructor(place: Place) {
    super()
    this.#place = place
  }

  override createConnection(): Socket {
    const socket = connect({ ...this.#place, timeout: CONNECT_MS })
    const onTimeout = () => socket.destroy(new Error('the instance does not take the connection'))
    socket.once('timeout', onTimeout)
    socket.once('connect', () => socket.off('timeout', onTimeout).setTimeout(0))
    return socket
  }
}
