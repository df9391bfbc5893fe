import process from 'node:process'
import { setTimeout as sleep } from 'node:timers/promises'
import { type RuntimeName, runtimeNames } from '@aleph-ts/guest'
import { ProgramLab } from './program-lab.ts'
import { spread } from './statistics.ts'

const coldStarts = 3
const runtimeStarts = 8
const restoredStarts = 30
/** The next spare QEMU process is started half a second after the last one was taken. */
const sparePauseMs = 1_000
const standbyStarts = 10
/** A standby is prepared in the background after a stop; this is enough for it. */
const standbyPauseMs = 3_000
const requests = 2_000
const concurrency = 16
const clones = Number(process.env.BENCH_CLONES ?? 50)
const rotated = Number(process.env.BENCH_ROTATION ?? 100)
const roomFor = 10
const memoryMiB = 256
/** How long a program may take to get all the machines that a bench wants. */
const growMs = 240_000
const MIB = 1024 * 1024

/** Milliseconds from the request to the first byte, by runtime and by what the start begins from. */
export async function benchProgramStarts(): Promise<object> {
  const figures: Record<string, object> = {}
  for (const runtime of runtimeNames) figures[runtime] = await measureStarts(runtime)
  return figures
}

async function measureStarts(runtime: RuntimeName): Promise<object> {
  return {
    ...(await measureSnapshots(runtime)),
    ...(await measureStandbys(runtime)),
    ...(await measureRests(runtime)),
  }
}

/** Starts of a node that keeps no standbys. */
async function measureSnapshots(runtime: RuntimeName): Promise<object> {
  await using lab = await ProgramLab.start({ ALEPH_VM_STANDBYS: '0' })
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
  return {
    cold: spread(cold),
    'from the runtime (A)': spread(fromRuntime),
    'from the program (B)': spread(await measureAgain(lab, hash, restoredStarts, sparePauseMs)),
  }
}

/** Starts of a node as it comes. */
async function measureStandbys(runtime: RuntimeName): Promise<object> {
  await using lab = await ProgramLab.start()
  const hash = await lab.deploy(runtime)
  await lab.firstByte(hash)
  return {
    'from a standby (C)': spread(await measureAgain(lab, hash, standbyStarts, standbyPauseMs)),
    'as configured, called right after it was stopped': spread(
      await measureAgain(lab, hash, restoredStarts, 0),
    ),
  }
}

/** Starts of a program that rests a second after each call. */
async function measureRests(runtime: RuntimeName): Promise<object> {
  await using lab = await ProgramLab.start({ ALEPH_VM_REUSE_TIMEOUT: '1' })
  const hash = await lab.deploy(runtime)
  await lab.firstByte(hash)
  const measured: number[] = []
  for (let i = 0; i < standbyStarts; i++) {
    await sleep(standbyPauseMs)
    measured.push(await lab.firstByte(hash))
  }
  return { 'where it rested (C)': spread(measured) }
}

/** Stops the program and calls it again, after a pause, so many times. */
async function measureAgain(
  lab: ProgramLab,
  hash: string,
  times: number,
  pauseMs: number,
): Promise<number[]> {
  const measured: number[] = []
  for (let i = 0; i < times; i++) {
    await lab.stop(hash)
    await sleep(pauseMs)
    measured.push(await lab.firstByte(hash))
  }
  return measured
}

/** Requests per second. */
export async function benchProgramThroughput(): Promise<object> {
  const figures: Record<string, number> = {}
  for (const vms of [1, 4]) {
    await using lab = await ProgramLab.start({
      ALEPH_VM_MAX_VMS_PER_PROGRAM: String(vms),
      ALEPH_VM_CALLS_PER_VM: String(concurrency / 4),
    })
    const hash = await lab.deploy('node')
    // Until it has as many machines as it may have.
    const deadline = Date.now() + growMs
    while ((await lab.memory(hash)).length < vms) {
      if (Date.now() > deadline) throw new Error(`the program did not get ${vms} machines`)
      await manyRequests(lab, hash, 200)
    }
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

export async function benchProgramMemory(): Promise<object> {
  await using lab = await ProgramLab.start({
    ALEPH_VM_MAX_VMS_PER_PROGRAM: String(clones),
    ALEPH_VM_CALLS_PER_VM: '1',
    ALEPH_VM_SCALE_IN_TIMEOUT: '600',
    ALEPH_VM_VCPUS: '1000',
    ALEPH_VM_MEMORY_MB: '1000000',
    ALEPH_VM_STANDBYS: '0',
  })
  const hash = await lab.deploy('node')
  const cold = await largestOf(lab, 'runtime-', lab.firstByte(hash))
  const deadline = Date.now() + growMs
  for (let have = 1; have < clones; have = (await lab.memory(hash)).length) {
    if (Date.now() > deadline) throw new Error(`only ${have} of ${clones} machines came up in time`)
    // One call more than there are machines: the node starts another one for it.
    await Promise.all(Array.from({ length: have + 1 }, () => lab.firstByte(hash, '/?wait=500')))
  }
  await sleep(2_000)
  const sizes = await lab.memory(hash)
  const total = sum(sizes.map(({ proportional }) => proportional))
  const each = total / sizes.length
  return {
    'each (PSS), MiB': round(each / MIB),
    'all together, MiB': round(total / MIB),
    'machines per GiB': Math.floor((1024 * MIB) / each),
    'ten machines that booted, MiB': round((10 * cold) / MIB),
  }
}

/** The most memory that a machine whose VM's id begins so has until `work` is done, bytes. */
async function largestOf(lab: ProgramLab, id: string, work: Promise<unknown>): Promise<number> {
  let largest = 0
  const ended = work.then(() => true)
  while (!(await Promise.race([ended, sleep(50, false)]))) {
    for (const { proportional } of await lab.memory(id)) largest = Math.max(largest, proportional)
  }
  return largest
}

export async function benchProgramRotation(): Promise<object> {
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

function sum(values: number[]): number {
  return values.reduce((total, value) => total + value, 0)
}

function round(value: number): number {
  return Math.round(value * 10) / 10
}
