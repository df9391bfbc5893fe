import { randomBytes } from 'node:crypto'
import { openAsBlob } from 'node:fs'
import { mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { startCoreNode } from '@aleph-ts/devnet'
import { devnetProfile } from '@aleph-ts/protocol'
import { AlephClient, EthereumAccount } from '@aleph-ts/sdk'

type CoreNode = Awaited<ReturnType<typeof startCoreNode>>

const mebibyte = 1024 * 1024

/** How a file goes from one node to the other. */
const ways = {
  'by bitswap': 'ipfs',
  'as an archive of its blocks': 'ipfs',
  'by its sha256': 'storage',
} as const

/**
 * A large file goes into one core node, from there to a second one, and out of it again, in each way there is. For
 * each step its time, and what the memory of the nodes grew by at its highest, above their idle state at the beginning.
 */
export async function benchContent({ megabytes = 1024 } = {}) {
  const folder = await mkdtemp(join(tmpdir(), 'aleph-bench-'))
  const nodes: CoreNode[] = []
  try {
    const account = EthereumAccount.fromPrivateKey(`0x${randomBytes(32).toString('hex')}`)
    const profile = join(folder, 'profile.json')
    await writeFile(profile, JSON.stringify(profileOf(account.address, 2 * megabytes * mebibyte)))
    const far = await startCoreNode(settings(folder, 'far', profile))
    nodes.push(far)
    // The far node has only been called: it does not know where the API of the near one is.
    const near = await startCoreNode(settings(folder, 'near', profile, far.multiaddrs))
    nodes.push(near)
    const clients = {
      near: new AlephClient({ apiUrl: near.url, account }),
      far: new AlephClient({ apiUrl: far.url, account }),
    }
    const path = join(folder, 'file')
    await writeRandom(path, megabytes)
    await sleep(5_000)

    const watch = await MemoryWatch.begin({ near: near.pid, far: far.pid })
    const results: Record<string, object> = {}
    for (const [way, engine] of Object.entries(ways)) {
      await changeFirstBytes(path)
      await watch.restart()
      results[way] = { ...(await pass(path, engine, clients)), ...(await watch.growth()) }
      if (way === 'by bitswap') await register(nodes, clients)
    }
    return { MiB: megabytes, ...results }
  } finally {
    for (const node of nodes) await node.stop()
    await rm(folder, { recursive: true, force: true })
  }
}

interface Clients {
  near: AlephClient
  far: AlephClient
}

/** Passes a file through both nodes: MiB/s of each step. */
async function pass(path: string, engine: 'ipfs' | 'storage', { near, far }: Clients) {
  const timeoutMs = 3_600_000
  const began = performance.now()
  const stored = await near.uploadFile({ file: await openAsBlob(path), engine, timeoutMs })
  const uploaded = performance.now()
  await far.waitForMessage(stored.itemHash, { timeoutMs })
  const arrived = performance.now()
  let bytes = 0
  for await (const chunk of await far.downloadFile(stored.fileHash)) bytes += chunk.byteLength
  const read = performance.now()
  if (bytes !== stored.size) throw new Error(`${bytes} bytes came out of ${stored.size}`)
  const rate = (milliseconds: number) => Math.round(bytes / mebibyte / (milliseconds / 1000))
  return {
    'hashed by the client and uploaded, MiB/s': rate(uploaded - began),
    'on the other node, MiB/s': rate(arrived - uploaded),
    'downloaded, MiB/s': rate(read - arrived),
  }
}

/** Makes each node known to the other as a core node, with its API. */
async function register(nodes: CoreNode[], { near, far }: Clients): Promise<void> {
  const registry = await near.publishAggregate({ key: 'corechannel', content: registryOf(nodes) })
  await far.waitForMessage(registry.itemHash, { timeoutMs: 60_000 })
}

function settings(folder: string, name: string, profile: string, peers: string[] = []) {
  return { name, dataDir: join(folder, name), logFile: join(folder, `${name}.log`), profile, peers }
}

/** A network in which the file is free, and whose nodes the sender registers. */
function profileOf(registrar: string, freeFileBytes: number) {
  const addresses = { ...devnetProfile.addresses, corechannel: registrar }
  const limits = { ...devnetProfile.limits, freeFileBytes, fileBytes: freeFileBytes }
  return { ...devnetProfile, addresses, limits }
}

function registryOf(nodes: CoreNode[]) {
  const entries = nodes.map(({ url, address, multiaddrs }, index) => ({
    hash: String(index).repeat(64),
    owner: address,
    status: 'active',
    multiaddress: multiaddrs[0]!,
    address: url,
    resource_nodes: [],
  }))
  return { nodes: entries, resource_nodes: [] }
}

async function writeRandom(path: string, megabytes: number): Promise<void> {
  await using file = await open(path, 'w')
  for (let index = 0; index < megabytes; index++) await file.write(randomBytes(mebibyte))
}

/** Another file, for hashes. */
async function changeFirstBytes(path: string): Promise<void> {
  await using file = await open(path, 'r+')
  await file.write(randomBytes(32), 0, 32, 0)
}

/** Highest resident memory of processes, above where they began (Linux). */
class MemoryWatch {
  readonly #pids: Record<string, number>
  readonly #idle: Record<string, number> = {}

  private constructor(pids: Record<string, number>) {
    this.#pids = pids
  }

  static async begin(pids: Record<string, number>): Promise<MemoryWatch> {
    const watch = new MemoryWatch(pids)
    for (const [name, pid] of Object.entries(pids)) watch.#idle[name] = await memoryOf(pid, 'VmRSS')
    return watch
  }

  /** Makes the kernel forget the highest values so far. */
  async restart(): Promise<void> {
    for (const pid of Object.values(this.#pids)) await writeFile(`/proc/${pid}/clear_refs`, '5')
  }

  async growth(): Promise<Record<string, number>> {
    const growth: Record<string, number> = {}
    for (const [name, pid] of Object.entries(this.#pids)) {
      const highest = await memoryOf(pid, 'VmHWM')
      growth[`most memory above idle, ${name} node, MiB`] = Math.round(highest - this.#idle[name]!)
    }
    return growth
  }
}

async function memoryOf(pid: number, field: 'VmRSS' | 'VmHWM'): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(status)?.[1]) / 1024
}
