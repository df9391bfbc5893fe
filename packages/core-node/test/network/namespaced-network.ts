import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { ClusterNetwork, Door, Site } from './cluster-network.ts'
import { ip } from './namespaces.ts'
import { ownPrefix } from './owned-names.ts'

const httpPort = 4024
const p2pPort = 4025
/** Rules that part members stand before those that the kernel routes by. */
const partingPriority = 100

/**
 * Every member in a network namespace of its own, with a cable to a router in another one: nothing of the machine's own
 * network is touched. What is sent across a parting vanishes, as on a real network: nobody is told.
 *
 * The test stands outside, and reaches in through sockets in the file system.
 */
export class NamespacedNetwork implements ClusterNetwork {
  readonly #names: string[]
  readonly #folder: string
  #doors: ChildProcess | undefined
  #parted: string[] = []

  private constructor(names: string[], folder: string) {
    this.#names = names
    this.#folder = folder
  }

  static async create(names: string[]): Promise<NamespacedNetwork> {
    const network = new NamespacedNetwork(names, await mkdtemp(join(tmpdir(), `${ownPrefix}-doors-`)))
    try {
      await network.#build()
    } catch (error) {
      await network[Symbol.asyncDispose]()
      throw error
    }
    return network
  }

  site(name: string): Site {
    return {
      host: this.#address(name),
      httpPort,
      p2pPort,
      command: (file, args) => ['ip', ['netns', 'exec', this.#namespace(name), file, ...args]],
    }
  }

  door(name: string): Door {
    return { socketPath: join(this.#folder, name) }
  }

  async route(_from: string, _to: string, multiaddr: string): Promise<string> {
    return multiaddr
  }

  async part(names: ReadonlySet<string>): Promise<void> {
    const others = this.#names.filter((name) => !names.has(name))
    for (const one of names) {
      for (const other of others) {
        await this.#drop(this.#address(one), this.#address(other))
        await this.#drop(this.#address(other), this.#address(one))
      }
    }
  }

  async join(): Promise<void> {
    for (const rule of this.#parted.splice(0)) await ip(`-n ${this.#router} rule delete ${rule}`)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#doors?.kill('SIGKILL')
    const namespaces = [...this.#names.map((name) => this.#namespace(name)), this.#router]
    // Those that were not made are not there to delete.
    for (const namespace of namespaces) await ip(`netns delete ${namespace}`).catch(() => {})
    await rm(this.#folder, { recursive: true, force: true })
  }

  async #build(): Promise<void> {
    const router = this.#router
    await ip(`netns add ${router}`)
    await ip(`-n ${router} link set lo up`)
    await ip(`netns exec ${router} sysctl -q -w net.ipv4.ip_forward=1`)
    for (const [index, name] of this.#names.entries()) {
      const namespace = this.#namespace(name)
      await ip(`netns add ${namespace}`)
      await ip(`-n ${namespace} link set lo up`)
      await ip(`-n ${namespace} link add cable type veth peer name to${index} netns ${router}`)
      await ip(`-n ${namespace} address add ${this.#address(name)}/24 dev cable`)
      await ip(`-n ${namespace} link set cable up`)
      await ip(`-n ${router} address add ${gatewayOf(index)}/24 dev to${index}`)
      await ip(`-n ${router} link set to${index} up`)
      await ip(`-n ${namespace} route add default via ${gatewayOf(index)}`)
    }
    await this.#openDoors()
  }

  async #openDoors(): Promise<void> {
    const script = join(import.meta.dirname, 'namespace-doors.ts')
    const doors = this.#names.map((name) => ({
      path: join(this.#folder, name),
      host: this.#address(name),
      port: httpPort,
    }))
    const args = ['netns', 'exec', this.#router, process.execPath, script, JSON.stringify(doors)]
    this.#doors = spawn('ip', args, { stdio: ['ignore', 'pipe', 'inherit'] })
    await once(createInterface({ input: this.#doors.stdout! }), 'line')
  }

  async #drop(from: string, to: string): Promise<void> {
    const rule = `priority ${partingPriority} from ${from} to ${to} blackhole`
    await ip(`-n ${this.#router} rule add ${rule}`)
    this.#parted.push(rule)
  }

  get #router(): string {
    return `${ownPrefix}-router`
  }

  #namespace(name: string): string {
    return `${ownPrefix}-${name}`
  }

  #address(name: string): string {
    return `10.77.${this.#names.indexOf(name)}.2`
  }
}

function gatewayOf(index: number): string {
  return `10.77.${index}.1`
}
