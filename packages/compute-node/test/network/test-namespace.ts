import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import type { Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import { missingHostTools } from '@aleph-ts/guest'
import type { NodeSurroundings } from '../agent/real-node.ts'
import { type Place, relay } from './namespace-relay.ts'

const run = promisify(execFile)
const node = process.execPath

/** Addresses of the two ends of the cable between the host and the rest of the world. */
export const world = {
  host4: '80.80.80.2',
  host6: '2a00:aaaa:1:2::2',
  ipv6Pool: '2a00:aaaa:1:2::/64',
  /** All of these are the outside machine's. */
  public4: '9.9.9.9',
  public6: '2a00:bbbb::9',
  metadata: '169.254.169.254',
  privates: ['10.0.0.9', '192.168.7.9'],
  allowed: '10.1.0.9',
  /** Local ones, and those that mean 10.0.0.9 in the networks of translators. */
  privates6: ['fd00::9', '64:ff9b::a00:9', '2002:a00:9::9'],
}

/** Why there can be no namespaces here; null when there can. */
export async function whyNoNamespaces(): Promise<string | null> {
  if (process.getuid?.() !== 0) return 'not root'
  const tools = ['ip', 'nft'].map((tool) => ({ tool, package: tool }))
  const missing = await missingHostTools(tools)
  if (missing.length > 0) return `missing: ${missing.map(({ tool }) => tool).join(', ')}`
  try {
    execFileSync('ip', ['netns', 'add', 'aleph-probe'], { stdio: 'ignore' })
    execFileSync('ip', ['netns', 'delete', 'aleph-probe'], { stdio: 'ignore' })
    return null
  } catch {
    return 'no network namespaces'
  }
}

/**
 * A host and a machine outside, each a network namespace, with one cable between them: nothing of the real
 * host's network is touched. The test stands outside of both and reaches in through sockets in the file system.
 */
export class TestNamespace implements NodeSurroundings, AsyncDisposable {
  readonly host: string
  readonly outside: string
  readonly #folder: string
  readonly #children: ChildProcess[] = []
  readonly #servers: Server[] = []
  #sockets = 0

  private constructor(name: string, folder: string) {
    this.host = name
    this.outside = `${name}-out`
    this.#folder = folder
  }

  static async create(): Promise<TestNamespace> {
    const folder = await mkdtemp(join(tmpdir(), 'aleph-net-'))
    const self = new TestNamespace(`aleph-${process.pid}`, folder)
    const { host, outside } = self
    // The device as distributions have it, whatever this machine's is.
    execFileSync('mknod', ['-m', '666', join(folder, 'tun'), 'c', '10', '200'])
    for (const name of [host, outside]) {
      await run('ip', ['netns', 'add', name])
      await run('ip', ['-n', name, 'link', 'set', 'lo', 'up'])
    }
    await run('ip', [
      '-n',
      host,
      'link',
      'add',
      'up0',
      'type',
      'veth',
      'peer',
      'name',
      'up0',
      'netns',
      outside,
    ])
    const { host4, host6, public4, public6, metadata, privates, privates6, allowed } = world
    await self.#ip(host, `address add ${host4}/24 dev up0`, `address add ${host6}/64 dev up0 nodad`)
    await self.#ip(
      outside,
      'address add 80.80.80.1/24 dev up0',
      'address add 2a00:aaaa:1:2::1/64 dev up0 nodad',
    )
    for (const name of [host, outside]) await self.#ip(name, 'link set up0 up')
    await self.#ip(host, 'route add default via 80.80.80.1', '-6 route add default via 2a00:aaaa:1:2::1')
    const extra = [public4, metadata, ...privates, allowed].map(
      (address) => `address add ${address}/32 dev lo`,
    )
    const extra6 = [public6, ...privates6].map((address) => `-6 address add ${address}/128 dev lo nodad`)
    await self.#ip(outside, ...extra, ...extra6)
    return self
  }

  /** A command as the host, or as the machine outside. */
  async exec(name: string, file: string, args: readonly string[]): Promise<string> {
    return (await run('ip', ['netns', 'exec', name, file, ...args])).stdout
  }

  /** The first line that a machine hears from an address, or `silence`. */
  async hear(name: string, address: string, port: number): Promise<string> {
    const script = `require('node:net').connect(${port}, '${address}')
      .once('data', (data) => { console.log(String(data)); process.exit() })
      .on('error', () => console.log('silence')).setTimeout(5000, () => { console.log('silence'); process.exit() })`
    return (await this.exec(name, node, ['-e', script])).split('\n', 1)[0]?.trim() ?? ''
  }

  /** Lets every address of a machine answer at these ports. */
  async answer(name: string, ...ports: number[]): Promise<void> {
    await this.#inside(name, 'answering-host.ts', ports.map(String))
  }

  command(file: string, args: readonly string[]): [string, string[]] {
    const script = 'mount --bind "$0" /dev/net/tun && exec "$@"'
    return ['ip', ['netns', 'exec', this.host, 'sh', '-c', script, join(this.#folder, 'tun'), file, ...args]]
  }

  async reachOut(url: string): Promise<string> {
    const socket = { path: join(this.#folder, `${this.#sockets++}`) }
    this.#servers.push((await relay(socket, placeOf(url))).server)
    const port = await this.#relayInside({ host: '127.0.0.1', port: 0 }, socket)
    return `http://127.0.0.1:${port}`
  }

  async reachIn(url: string): Promise<string> {
    const socket = { path: join(this.#folder, `${this.#sockets++}`) }
    await this.#relayInside(socket, placeOf(url))
    const { server, port } = await relay({ host: '127.0.0.1', port: 0 }, socket)
    this.#servers.push(server)
    return `http://127.0.0.1:${port}`
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const server of this.#servers) server.close()
    for (const child of this.#children) child.kill('SIGKILL')
    for (const name of [this.host, this.outside]) await run('ip', ['netns', 'delete', name])
    await rm(this.#folder, { recursive: true, force: true })
  }

  async #ip(name: string, ...lines: string[]): Promise<void> {
    for (const line of lines) await run('ip', ['-n', name, ...line.split(' ')])
  }

  #relayInside(from: Place, to: Place): Promise<string> {
    return this.#inside(this.host, 'namespace-relay.ts', [JSON.stringify(from), JSON.stringify(to)])
  }

  /** Starts a script in a namespace; resolves with the line it prints when ready. */
  async #inside(name: string, script: string, args: string[]): Promise<string> {
    const command = ['netns', 'exec', name, node, join(import.meta.dirname, script), ...args]
    const child = spawn('ip', command, { stdio: ['ignore', 'pipe', 'inherit'] })
    this.#children.push(child)
    const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string]
    return line
  }
}

function placeOf(url: string): Place {
  const { hostname, port } = new URL(url)
  return { host: hostname, port: Number(port) }
}
