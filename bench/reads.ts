import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { Agent, get, type IncomingMessage } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { type ClientList, clientLists, milledDataDir, type Sample } from '@aleph-ts/core-node/testing'
import { startCoreNode } from '@aleph-ts/devnet'
import autocannon from 'autocannon'
import { percentile, spread } from './statistics.ts'

const connections = 64
const seconds = 8
/** A node that just started reads which messages it has; nodes that run for days are not cold, ms. */
const settleMs = 30_000
/** Times every list is asked for. */
const rounds = 30
const lastPage = 1000
const fileBytes = 1024 * 1024

/**
 * What reading costs on a large database: every list that clients ask for, pages by cursor, and requests per second
 * beside those of a bare Fastify route with the same answer.
 *
 * `BENCH_MESSAGES` says how many messages there are, `BENCH_KEEP` a folder in which the filled database stays.
 */
export async function benchReads({
  messages = Number(process.env.BENCH_MESSAGES ?? 2_000_000),
  keep = process.env.BENCH_KEEP,
} = {}) {
  const dataDir = keep ?? mkdtempSync(join(tmpdir(), 'aleph-bench-'))
  mkdirSync(dataDir, { recursive: true })
  try {
    const started = performance.now()
    const sample = await milledDataDir(dataDir, messages, (done) => console.error(`  ${done}`))
    const filling = Math.round((performance.now() - started) / 1000)
    const node = await startCoreNode({ name: 'core', dataDir, logFile: join(dataDir, 'core.log') })
    try {
      await sleep(settleMs)
      return {
        messages,
        'filled in, s': filling,
        lists: await measureLists(node.url, clientLists(sample)),
        'pages by cursor, ms': await measureCursors(node.url),
        [`${connections} connections`]: await measureThroughput(node.url, sample),
      }
    } finally {
      await node.stop()
    }
  } finally {
    if (!keep) rmSync(dataDir, { recursive: true, force: true })
  }
}

/** How long first pages take; the slowest are named. */
async function measureLists(url: string, lists: ClientList[]) {
  const figures: { list: string; first: number; p50: number; p95: number }[] = []
  for (const { path, query } of lists) {
    const first = await timed(`${url}${path}?${query}`)
    const ms: number[] = []
    for (let round = 0; round < rounds; round++) ms.push(await timed(`${url}${path}?${query}`))
    const { p50, p95 } = spread(ms)
    figures.push({ list: `${path}?${query}`.slice(0, 140), first: Math.round(first), p50, p95 })
  }
  figures.sort((a, b) => b.p95 - a.p95)
  return {
    count: figures.length,
    'p95 of all, ms': spread(figures.map((figure) => figure.p95)),
    'over 50 ms': figures.filter((figure) => figure.p95 > 50).length,
    slowest: figures.slice(0, 12),
    'slowest when first asked, ms': figures
      .toSorted((a, b) => b.first - a.first)
      .slice(0, 8)
      .map(({ list, first }) => `${first} ${list}`),
  }
}

/** The first and the thousandth page of long lists. */
async function measureCursors(url: string) {
  const figures: Record<string, object> = {}
  for (const list of [
    '/api/v0/messages.json?',
    '/api/v0/messages.json?msgType=POST',
    '/api/v0/messages.json?channels=channel-3&sortOrder=1',
    '/api/v0/posts.json?',
    '/api/v1/posts.json?types=type-3',
    '/api/v0/aggregates.json?',
  ]) {
    const ms: number[] = []
    let cursor: string | null = ''
    while (cursor !== null && ms.length < lastPage) {
      const started = performance.now()
      const response = await fetch(`${url}${list}&pagination=20&cursor=${cursor}`)
      const page = (await response.json()) as { next_cursor: string | null }
      ms.push(performance.now() - started)
      cursor = page.next_cursor
    }
    const median = (part: number[]) => Math.round(percentile(part, 50) * 10) / 10
    figures[list] = {
      pages: ms.length,
      'first 20': median(ms.slice(0, 20)),
      'last 20': median(ms.slice(-20)),
    }
  }
  return figures
}

/** Requests per second of the node and of a bare route with the same answer. */
async function measureThroughput(url: string, sample: Sample) {
  const upload = await fetch(`${url}/api/v0/storage/add_file`, {
    method: 'POST',
    headers: { 'content-type': 'application/octet-stream' },
    body: Buffer.alloc(fileBytes, 'aleph'),
  })
  const { hash } = (await upload.json()) as { hash: string }
  const figures: Record<string, object> = {}
  for (const [what, path] of Object.entries({
    'one message': `/api/v0/messages/${sample.postHash}`,
    '20 messages': '/api/v0/messages.json',
    'an aggregate': `/api/v0/aggregates/${sample.aggregateOwner}.json?keys=${sample.aggregateKey}`,
    '20 posts': '/api/v1/posts.json',
    'a file of 1 MiB': `/api/v0/storage/raw/${hash}`,
  })) {
    const ours = await load(`${url}${path}`)
    const { child, address } = await bareServer(`${url}${path}`)
    const bare = await load(address)
    child.kill()
    await once(child, 'exit')
    const ratio = Math.round((bare.perSecond / ours.perSecond) * 10) / 10
    figures[what] = { node: ours, 'bare route': bare, 'bare / node': ratio }
  }
  return figures
}

async function load(url: string) {
  const { requests, latency, non2xx, errors } = await autocannon({ url, connections, duration: seconds })
  if (non2xx + errors > 0) throw new Error(`${url} failed ${non2xx + errors} times`)
  return { perSecond: Math.round(requests.average), 'p99, ms': latency.p99 }
}

async function bareServer(url: string): Promise<{ child: ChildProcess; address: string }> {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'bare-server.ts'), url], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [address] = (await once(createInterface({ input: child.stdout! }), 'line')) as [string]
  return { child, address }
}

const agent = new Agent({ keepAlive: true })

/** Until the last byte is here. With the plainest client there is: `fetch` itself takes 50 ms now and then. */
async function timed(url: string): Promise<number> {
  const started = performance.now()
  const request = get(url, { agent, headers: { 'accept-encoding': 'gzip' } })
  const [response] = (await once(request, 'response')) as [IncomingMessage]
  response.resume()
  await once(response, 'end')
  if (![200, 404].includes(response.statusCode!)) throw new Error(`${url} answers ${response.statusCode}`)
  return performance.now() - started
}
