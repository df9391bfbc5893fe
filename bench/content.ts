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

/**
 * One large file goes by its CID into one core node, from there to a second one, and out of it again. For each step its
 * time, and what the memory of the nodes grew by at its highest, above their idle state.
 */
export async function benchContent({ megabytes = 1024 } = {}) {
  const folder = await mkdtemp(join(tmpdir(), 'aleph-bench-'))
  const nodes: CoreNode[] = []
  try {
    const account = EthereumAccount.fromPrivateKey(`0x${randomBytes(32).toString('hex')}`)
    const profile = join(folder, 'profile.json')
    await writeFile(profile, JSON.stringify(profileOf(account.address, megabytes * mebibyte)))
    nodes.push(await startCoreNode(settings(folder, 'near', profile)))
    nodes.push(await startCoreNode(settings(folder, 'far', profile, nodes[0]!.multiaddrs)))
    const [near, far] = nodes.map(({ url }) => new AlephClient({ apiUrl: url, account })) as [
      AlephClient,
      AlephClient,
    ]
    const registry = await near.publishAggregate({ key: 'corechannel', content: registryOf(nodes) })
    await far.waitForMessage(registry.itemHash, { timeoutMs: 60_000 })
    const path = join(folder, 'file')
    await writeRandom(path, megabytes)
    await sleep(2_000)

    const watch = await MemoryWatch.begin(nodes)
    const began = performance.now()
    const timeoutMs = 3_600_000
    const stored = await near.uploadFile({ file: await openAsBlob(path), engine: 'ipfs', timeoutMs })
    const uploaded = performance.now()
    await far.waitForMessage(stored.itemHash, { timeoutMs })
    const arrived = performance.now()
    let bytes = 0
    for await (const chunk of await far.downloadFile(stored.fileHash)) bytes += chunk.byteLength
    const read = performance.now()
    if (bytes !== stored.size) throw new Error(`${bytes} bytes came out of ${stored.size}`)
    return {
      MiB: megabytes,
      'hashed by the client and uploaded, MiB/s': rate(megabytes, uploaded - began),
      'on the other node, MiB/s': rate(megabytes, arrived - uploaded),
      'downloaded, MiB/s': rate(megabytes, read - arrived),
      'most memory above idle, MiB': await watch.growth(),
    }
  } finally {
    for (const node of nodes) await node.stop()
    await rm(folder, { recursive: true, force: true })
  }
}

function settings(folder: string, name: string, profile: string, peers: string[] = []) {
  return { name, dataDir: join(folder, name), logFile: join(folder, `${name}.log`), profile, peers }
}

/** A network in which the file is free, and whose nodes the sender registers. */
function profileOf(registrar: string, freeFileBytes: number) {
  const addresses = { ...devnetProfile.addresses, corechannel: registrar }
  return { ...devnetProfile, addresses, limits: { ...devnetProfile.limits, freeFileBytes } }
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

function rate(megabytes: number, milliseconds: number): number {
  return Math.round(megabytes / (milliseconds / 1000))
}

/** Highest resident memory of processes since it began, above where they began (Linux). */
class MemoryWatch {
  readonly #idle: Map<number, number>

  private constructor(idle: Map<number, number>) {
    this.#idle = idle
  }

  static async begin(nodes: CoreNode[]): Promise<MemoryWatch> {
    const idle = new Map<number, number>()
    for (const { pid } of nodes) {
      // 5 makes the kernel forget the highest value so far.
      await writeFile(`/proc/${pid}/clear_refs`, '5')
      idle.set(pid, await memoryOf(pid, 'VmRSS'))
    }
    return new MemoryWatch(idle)
  }

  /** MiB of each process, in the order they were given. */
  async growth(): Promise<number[]> {
    return Promise.all(
      [...this.#idle].map(async ([pid, idle]) => Math.round((await memoryOf(pid, 'VmHWM')) - idle)),
    )
  }
}

async function memoryOf(pid: number, field: 'VmRSS' | 'VmHWM'): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(status)?.[1]) / 1024
}
