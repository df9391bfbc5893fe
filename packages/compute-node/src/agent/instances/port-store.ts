import { createSocket } from 'node:dgram'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { z } from 'zod'
import type { PortForward } from '../../supervisor/index.ts'
import { writeFileAtomically } from '../allocations/state-file.ts'
import { AgentError } from '../errors.ts'

const FIRST_PORT = 24_000
const LAST_PORT = 65_534
const storedSchema = z.record(z.string(), z.record(z.string(), z.number().int()))

/** A port of an instance that its owner wants reached from outside. */
export interface WantedPort {
  guest: number
  tcp: boolean
  udp: boolean
}

/**
 * Which port of the host leads to which port of which instance (protocol 05 §8.4). A pair once given away
 * stays, across restarts, until the instance is erased.
 */
export class PortStore {
  readonly #path: string
  readonly #host: string
  /** Host ports by VM and guest port. */
  #ports: Record<string, Record<string, number>> = {}
  #turn: Promise<unknown> = Promise.resolve()

  /** `host` is the address the ports are on. */
  constructor(path: string, host: string) {
    this.#path = path
    this.#host = host
  }

  async start(): Promise<void> {
    const text = await readFile(this.#path, 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return '{}'
      throw error
    })
    this.#ports = storedSchema.parse(JSON.parse(text))
  }

  /** A host port for every wanted port. Throws AgentError `insufficient_capacity` when there are no more. */
  async assign(vm: string, wanted: readonly WantedPort[]): Promise<PortForward[]> {
    const assigned = this.#turn.then(() => this.#assign(vm, wanted))
    this.#turn = assigned.catch(() => undefined)
    return assigned
  }

  /** Gives the VM's ports back. */
  async release(vm: string): Promise<void> {
    if (!(vm in this.#ports)) return
    delete this.#ports[vm]
    await writeFileAtomically(this.#path, JSON.stringify(this.#ports))
  }

  async #assign(vm: string, wanted: readonly WantedPort[]): Promise<PortForward[]> {
    const known = { ...this.#ports[vm] }
    const taken = new Set(Object.values(this.#ports).flatMap((ports) => Object.values(ports)))
    const forwards: PortForward[] = []
    for (const { guest, tcp, udp } of wanted) {
      const host = known[guest] ?? (await this.#findFree(taken))
      taken.add(host)
      known[guest] = host
      forwards.push({ host, guest, tcp, udp })
    }
    this.#ports[vm] = known
    await writeFileAtomically(this.#path, JSON.stringify(this.#ports))
    return forwards
  }

  async #findFree(taken: ReadonlySet<number>): Promise<number> {
    for (let port = FIRST_PORT; port <= LAST_PORT; port++) {
      if (!taken.has(port) && (await isFree(this.#host, port))) return port
    }
    throw new AgentError('insufficient_capacity', 'This node has no more ports to forward')
  }
}

/** Whether nobody on the host uses the port, by TCP or by UDP. */
async function isFree(host: string, port: number): Promise<boolean> {
  const tcp = await new Promise<boolean>((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen(port, host, () => server.close(() => resolve(true)))
  })
  if (!tcp) return false
  return new Promise<boolean>((resolve) => {
    const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4')
    socket.once('error', () => resolve(false))
    socket.bind(port, host, () => socket.close(() => resolve(true)))
  })
}
