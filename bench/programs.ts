import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { Devnet, guestCacheDir, type NetworkFile, silentProgress } from '@aleph-ts/devnet'
import { ComputeNodeClient, EthereumAccount, programUrl } from '@aleph-ts/sdk'
import { spread } from './statistics.ts'

const root = join(import.meta.dirname, '..')
const run = promisify(execFile)
const examples = { node: 'hello-node', python: 'hello-python', binary: 'static-site' }
const coldStarts = 3
const restoredStarts = 20
const standbyStarts = 10
/** A standby is prepared in the background after a stop; this is enough for it. */
const standbyPauseMs = 1_500
const requests = 2_000
const concurrency = 16

/**
 * Cold start (nothing known but the downloaded files), restored start (from the snapshot), both from the
 * request to the first byte of the answer; and requests per second through the proxy, of each runtime.
 */
export async function benchPrograms() {
  const dataDir = mkdtempSync(join(tmpdir(), 'aleph-bench-'))
  const devnet = await Devnet.create({
    dataDir,
    coreNodes: 1,
    computeNodes: 1,
    guestCacheDir: guestCacheDir(),
    progress: silentProgress(),
  })
  try {
    const network = await devnet.start()
    const figures: Record<string, object> = {}
    for (const [runtime, example] of Object.entries(examples)) {
      figures[runtime] = await measureRuntime(network, dataDir, example)
    }
    return figures
  } finally {
    await devnet.stop()
    rmSync(dataDir, { recursive: true, force: true })
  }
}

async function measureRuntime(network: NetworkFile, dataDir: string, example: string): Promise<object> {
  const cold: number[] = []
  let hash = ''
  for (let i = 0; i < coldStarts; i++) {
    hash = await deploy(dataDir, example, i)
    cold.push(await firstByte(network, hash))
    if (i < coldStarts - 1) await stop(network, hash)
  }
  const restored: number[] = []
  for (let i = 0; i < restoredStarts; i++) {
    await stop(network, hash)
    restored.push(await firstByte(network, hash))
  }
  const standby: number[] = []
  for (let i = 0; i < standbyStarts; i++) {
    await stop(network, hash)
    await sleep(standbyPauseMs)
    standby.push(await firstByte(network, hash))
  }
  return {
    'cold start, ms': spread(cold),
    'start right after a stop, from the snapshot, ms': spread(restored),
    'start from a standby, ms': spread(standby),
    'requests per second': await throughput(network, hash),
  }
}

/** A variable of its own makes each a program that shares no snapshot with the others. */
async function deploy(dataDir: string, example: string, index: number): Promise<string> {
  const aleph = join(root, 'packages/cli/bin/aleph.mjs')
  const { stdout } = await run(
    process.execPath,
    [aleph, 'program', 'deploy', join(root, 'examples', example), '--var', `BENCH_RUN=${index}`, '--json'],
    {
      env: { ...process.env, ALEPH_NETWORK: join(dataDir, 'network.json'), ALEPH_HOME: join(dataDir, 'cli') },
    },
  )
  return (JSON.parse(stdout) as { item_hash: string }).item_hash
}

async function firstByte(network: NetworkFile, hash: string): Promise<number> {
  const started = performance.now()
  const response = await fetch(programUrl(network.computeNodes[0]!.url, hash))
  if (!response.ok) throw new Error(`the program answered ${response.status}: ${await response.text()}`)
  await response.body!.getReader().read()
  return performance.now() - started
}

async function stop(network: NetworkFile, hash: string): Promise<void> {
  const account = EthereumAccount.fromPrivateKey(network.accounts[0]!.privateKey)
  await new ComputeNodeClient(network.computeNodes[0]!.url, { account }).operate(hash, 'stop')
}

async function throughput(network: NetworkFile, hash: string): Promise<number> {
  const url = programUrl(network.computeNodes[0]!.url, hash)
  let left = requests
  const worker = async () => {
    while (left-- > 0) await (await fetch(url)).arrayBuffer()
  }
  const started = performance.now()
  await Promise.all(Array.from({ length: concurrency }, worker))
  return Math.round((requests / (performance.now() - started)) * 1000)
}
