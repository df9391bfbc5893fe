import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import process from 'node:process'
import { setTimeout as sleep } from 'node:timers/promises'
import { type RuntimeName, runtimeNames } from '@aleph-ts/guest'
import { ProgramLab } from './program-lab.ts'
import { measureProxy } from './program-proxy.ts'
import { spread } from './statistics.ts'

const coldStarts = 3
const runtimeStarts = 8
const restoredStarts = 20
const standbyStarts = 10
/** A standby is prepared in the background after a stop; this is enough for it. */
const standbyPauseMs = 2_000
const requests = 2_000
const concurrency = 16
const clones = Number(process.env.BENCH_CLONES ?? 50)
const rotated = Number(process.env.BENCH_ROTATION ?? 100)
const roomFor = 10
const memoryMiB = 256
const MIB = 1024 * 1024

/** Starts of every kind, requests per second, memory of idle machines, programs in rotation, what the proxy costs. */
export async function benchPrograms() {
  const figures: Record<string, object> = {}
  for (const runtime of runtimeNames) figures[`start of ${runtime}, ms`] = await measureStarts(runtime)
  figures['requests per second'] = await measureThroughput()
  figures[`memory of ${clones} idle machines of one program`] = await measureMemory()
  figures[`${rotated} programs in rotation, room for ${roomFor}, ms`] = await measureRotation()
  figures['one request, ms'] = await measureProxy()
  return figures
}

export async function measureStarts(runtime: RuntimeName): Promise<object> {
  await using lab = await ProgramLab.start()
  const cold: number[] = []
  // A size of its own makes each a machine the node has no snapshot of.
  for (let i = 1; i <= coldStarts; i++)
    cold.push(await lab.firstByte(await lab.deploy(runtime, memoryMiB + 8 * i)))
  await lab.firstByte(await lab.deploy(runtime))
  const fromRuntime: number[] = []
  let hash = ''
  for (let i = 0; i < runtimeStarts; i++) {
    if (hash !== '') await lab.stop(hash)
    hash = await lab.deploy(runtime)
    fromRuntime.push(await lab.firstByte(hash))
  }
  const restored: number[] = []
  for (let i = 0; i < restoredStarts; i++) {
    await lab.stop(hash)
    restored.push(await lab.firstByte(hash))
  }
  const standby: number[] = []
  for (let i = 0; i < standbyStarts; i++) {
    await lab.stop(hash)
    await sleep(standbyPauseMs)
    standby.push(await lab.firstByte(hash))
  }
  return {
    cold: spread(cold),
    'from the runtime (A)': spread(fromRuntime),
    'from the program (B)': spread(restored),
    'from a standby (C)': spread(standby),
  }
}

export async function measureThroughput(): Promise<object> {
  const figures: Record<string, number> = {}
  for (const vms of [1, 4]) {
    await using lab = await ProgramLab.start({
      ALEPH_VM_MAX_VMS_PER_PROGRAM: String(vms),
      ALEPH_VM_CALLS_PER_VM: String(concurrency / 4),
    })
    const hash = await lab.deploy('node')
    // Until it has as many machines as it may have.
    while ((await lab.memory(hash)).length < vms) await manyRequests(lab, hash, 200)
    await manyRequests(lab, hash, 400)
    figures[`through ${vms} machine${vms === 1 ? '' : 's'}`] = await manyRequests(lab, hash, requests)
  }
  return figures
}

/** Requests per second. */
async function manyRequests(lab: ProgramLab, hash: string, count: number): Promise<number> {
  let left = count
  const worker = async () => {
    while (left-- > 0) await (await fetch(lab.url(hash))).arrayBuffer()
  }
  const startedAt = performance.now()
  await Promise.all(Array.from({ length: concurrency }, worker))
  return Math.round((count / (performance.now() - startedAt)) * 1000)
}

export async function measureMemory(): Promise<object> {
  await using lab = await ProgramLab.start({
    ALEPH_VM_MAX_VMS_PER_PROGRAM: String(clones),
    ALEPH_VM_CALLS_PER_VM: '1',
    ALEPH_VM_SCALE_IN_TIMEOUT: '600',
    ALEPH_VM_VCPUS: '1000',
    ALEPH_VM_MEMORY_MB: '1000000',
    ALEPH_VM_STANDBYS: '0',
  })
  const hash = await lab.deploy('node')
  await lab.firstByte(hash)
  const waiting = new AbortController()
  const calls: Promise<unknown>[] = []
  for (let have = 0; have < clones; have = (await lab.memory(hash)).length) {
    // Every call that finds all machines busy makes the node start another one.
    if (calls.length <= have) {
      calls.push(fetch(lab.url(hash, '/?wait=250000'), { signal: waiting.signal }).catch(() => undefined))
    }
    await sleep(250)
  }
  waiting.abort()
  await Promise.all(calls)
  await sleep(2_000)
  const sizes = await lab.memory(hash)
  const total = sizes.reduce((sum, size) => sum + size, 0)
  const each = total / sizes.length
  const alone = await largestTemplate(lab.templatesDir)
  return {
    'each (PSS), MiB': round(each / MIB),
    'all together, MiB': round(total / MIB),
    'machines per GiB': Math.floor((1024 * MIB) / each),
    'memory of ten machines that share nothing, MiB': round((10 * alone) / MIB),
  }
}

/** Bytes of guest memory that a machine which shares nothing holds: what its snapshot takes on disk. */
async function largestTemplate(folder: string): Promise<number> {
  const files = (await readdir(folder)).map((name) => stat(join(folder, name, 'memory')))
  return Math.max(...(await Promise.all(files)).map(({ blocks }) => blocks * 512))
}

export async function measureRotation(): Promise<object> {
  await using lab = await ProgramLab.start({
    ALEPH_VM_MEMORY_MB: String(roomFor * memoryMiB),
    ALEPH_VM_VCPUS: '1000',
    ALEPH_VM_TEMPLATES_MB: '40000',
  })
  const hashes: string[] = []
  for (let i = 0; i < rotated; i++) hashes.push(await lab.deploy('node'))
  const first: number[] = []
  for (const hash of hashes) first.push(await lab.firstByte(hash))
  const again: number[] = []
  for (const hash of hashes) again.push(await lab.firstByte(hash))
  return { 'first round': spread(first), 'second round': spread(again) }
}

function round(value: number): number {
  return Math.round(value * 10) / 10
}
