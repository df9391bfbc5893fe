import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Allocation, ComputeNodeClient, MessageRejectedError, programUrl } from '@aleph-ts/sdk'
import type { Devnet } from '../devnet.ts'
import type { Progress } from '../progress.ts'
import type { JobReport } from './job-report.ts'
import { until } from './until.ts'
import { fundWallets, type JobWallets } from './wallets.ts'

const sourceFile = join(import.meta.dirname, '../../../../examples/hello-node/index.ts')
const requestTimeoutMs = 120_000

/**
 * The job an Aleph network is for, step by step, with the SDK: a wallet that holds enough ALEPH sends a
 * program; it reaches every core node, is assigned to one, by it to a compute node, and runs there.
 */
export async function runMainJob(devnet: Devnet, progress: Progress): Promise<JobReport> {
  const report: JobReport = { ok: false, steps: [] }
  const step = async <T>(name: string, work: () => Promise<T>): Promise<T> => {
    const number = report.steps.length + 1
    const started = performance.now()
    const result = await progress.step(`(${number}) ${name}`, work)
    report.steps.push({ step: number, name, ms: Math.round(performance.now() - started) })
    return result
  }
  try {
    const wallets = await step('a wallet holds 2,000 ALEPH, another only 100', () => fundWallets(devnet))
    const itemHash = await step('it writes and sends the code and a program', () =>
      sendProgram(devnet, wallets),
    )
    await step('every core node has processed the message', () => processedEverywhere(devnet, itemHash))
    const allocation = await step('it is assigned to a core node', () => assigned(devnet, itemHash))
    await step('which assigned it to one of its compute nodes', () => acceptedBy(allocation, itemHash))
    const cold = await step('a microVM runs it and answers', () => call(allocation, itemHash))
    await progress.step('stopped, and started again from its snapshot', async () => {
      await stopVm(allocation, itemHash, wallets)
      const restored = await call(allocation, itemHash)
      report.program = {
        item_hash: itemHash,
        url: programUrl(allocation.computeNode.url, itemHash),
        status: cold.status,
        body: cold.body,
        core_node: coreNodeUrl(devnet, allocation),
        compute_node: allocation.computeNode.url,
        cold_start_ms: cold.ms,
        restored_start_ms: restored.ms,
      }
    })
    report.refused = await progress.step('the same program from the poor wallet is refused', () =>
      sendUnpaid(devnet, wallets),
    )
    report.ok = cold.status === 200 && report.refused.status === 'rejected'
  } catch (error) {
    report.error = (error as Error).message
  }
  return report
}

async function sendProgram(devnet: Devnet, { rich }: JobWallets): Promise<string> {
  const client = devnet.client(0, rich)
  const program = await client.deployProgram({ ...(await programOf(devnet)), until: 'processed' })
  return program.itemHash
}

async function programOf(devnet: Devnet) {
  return {
    code: new Uint8Array(await readFile(sourceFile)),
    encoding: 'plain' as const,
    entrypoint: 'index.ts',
    runtime: devnet.network.runtimes.node!,
    name: 'hello',
  }
}

async function processedEverywhere(devnet: Devnet, itemHash: string): Promise<void> {
  const waiting = devnet.coreNodes.map((_, index) => devnet.client(index).waitForMessage(itemHash))
  await Promise.all(waiting)
}

/** Every core node must name the same one. */
async function assigned(devnet: Devnet, itemHash: string): Promise<Allocation> {
  const answers = await Promise.all(
    devnet.coreNodes.map((_, index) => devnet.client(index).waitForAllocation(itemHash)),
  )
  const [first] = answers
  if (answers.some((each) => each.computeNode.hash !== first!.computeNode.hash)) {
    throw new Error(`Core nodes disagree on the compute node of ${itemHash}.`)
  }
  return first!
}

async function acceptedBy(allocation: Allocation, itemHash: string): Promise<void> {
  const node = new ComputeNodeClient(allocation.computeNode.url)
  await until(
    `${allocation.computeNode.url} has the program`,
    async () => itemHash in (await node.listExecutions()),
  )
}

async function call(allocation: Allocation, itemHash: string) {
  const started = performance.now()
  const response = await fetch(programUrl(allocation.computeNode.url, itemHash, '/?name=you'), {
    signal: AbortSignal.timeout(requestTimeoutMs),
  })
  const body = await response.text()
  return { status: response.status, body, ms: Math.round(performance.now() - started) }
}

async function stopVm(allocation: Allocation, itemHash: string, { rich }: JobWallets): Promise<void> {
  await new ComputeNodeClient(allocation.computeNode.url, { account: rich }).operate(itemHash, 'stop')
}

async function sendUnpaid(devnet: Devnet, { poor }: JobWallets): Promise<NonNullable<JobReport['refused']>> {
  const client = devnet.client(0, poor)
  try {
    await client.deployProgram({ ...(await programOf(devnet)), until: 'processed' })
  } catch (error) {
    if (!(error instanceof MessageRejectedError)) throw error
    const lookup = await client.getMessage(error.itemHash)
    return { sender: poor.address, status: lookup.status, error_code: error.errorCode ?? -1 }
  }
  return { sender: poor.address, status: 'processed', error_code: -1 }
}

function coreNodeUrl(devnet: Devnet, allocation: Allocation): string {
  const parent = devnet.network.computeNodes.find((node) => node.url === allocation.computeNode.url)
  return parent?.coreNode ?? ''
}
