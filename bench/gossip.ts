import { mkdtempSync, rmSync } from 'node:fs'
import { loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { startCoreNode } from '@aleph-ts/devnet'
import { type ProcessorTime, processorTimes } from './processor-time.ts'
import { signedPosts } from './signed-posts.ts'
import { spread } from './statistics.ts'

/** A core node as a process of its own. */
export type CoreNode = Awaited<ReturnType<typeof startCoreNode>>

/** Nodes of the larger network that each newcomer dials. */
const dials = 2
/** Time for a mesh to form before anything is measured, ms. */
const settleMs = 5_000

/** Sent before anything is measured, at the rate of the measurement: nodes that run for days are not cold. */
const warmUpSeconds = 10
/** How long the last messages may take, ms. */
const patienceMs = 30_000

/** A trickle between two nodes, then into one of seven, then 200 messages a second into one of seven. */
export async function benchGossip() {
  return {
    'two nodes': await measureGossip({ nodes: 2, perSecond: 50, count: 500 }),
    'seven nodes, calm': await measureGossip({ nodes: 7, perSecond: 50, count: 1_000 }),
    'seven nodes, busy': await measureGossip({ nodes: 7, perSecond: 200, count: 4_000 }),
  }
}

/**
 * From the moment one core node is handed a message to the moment each other one finds it in order over gossip, and to
 * the moment it tells its websocket listeners that it has processed it, at a steady rate, in milliseconds. All nodes, their databases and the clock share one machine.
 */
export async function measureGossip(options: { nodes: number; perSecond: number; count: number }) {
  const { nodes: size, perSecond, count } = options
  const folder = mkdtempSync(join(tmpdir(), 'aleph-bench-'))
  const nodes: CoreNode[] = []
  try {
    while (nodes.length < size) nodes.push(await startNode(folder, nodes))
    const others = nodes.slice(1)
    const listeners = await Promise.all(others.map(({ url }) => listen(url)))
    await sleep(settleMs)
    await send(nodes[0]!.url, signedPosts(warmUpSeconds * perSecond), perSecond)
    await arrival(listeners, warmUpSeconds * perSecond)
    for (const { arrivals } of listeners) arrivals.clear()
    const bodies = signedPosts(count)
    const heardBefore = await Promise.all(others.map(({ url }) => heardBuckets(url)))
    const pids = [process.pid, ...nodes.map(({ pid }) => pid)]
    const before = processorTimes(pids)
    const { sent, refused } = await send(nodes[0]!.url, bodies, perSecond)
    await arrival(listeners, count)
    const spent = processorTimes(pids).map((time, index) => difference(time, before[index]!))
    const delays = listeners.flatMap((listener) => delaysOf(sent, listener))
    for (const { socket } of listeners) socket.close()
    const heardAfter = await Promise.all(others.map(({ url }) => heardBuckets(url)))
    return {
      messages: count,
      'messages per second': perSecond,
      'not acknowledged': refused(),
      'arrived at others': `${delays.length} of ${count * others.length}`,
      'until others heard it, ms': heardSpread(heardBefore, heardAfter),
      'until others processed it, ms': spread(delays),
      'processor time a message, ms': perMessage(spent, count),
      'load of the machine': loadavg()[0],
    }
  } finally {
    for (const node of nodes) await node.stop()
    rmSync(folder, { recursive: true, force: true })
  }
}

function difference(after: ProcessorTime, before: ProcessorTime): ProcessorTime {
  return { own: after.own - before.own, children: after.children - before.children }
}

/** Of the bench, the node that is handed the messages, and an average other node, each with its database. */
function perMessage([bench, first, ...others]: ProcessorTime[], count: number) {
  const sum = (times: number[]) => times.reduce((total, ms) => total + ms, 0)
  const rounded = (ms: number) => Math.round((100 * ms) / count) / 100
  return {
    bench: rounded(bench!.own),
    'first node': rounded(first!.own),
    'its database': rounded(first!.children),
    'other node': rounded(sum(others.map(({ own }) => own)) / others.length),
    "other's database": rounded(sum(others.map(({ children }) => children)) / others.length),
    'all together': rounded(sum([bench!.own, ...[first!, ...others].flatMap(Object.values)])),
  }
}

/** Starts one more node, which dials some of the others. */
export function startNode(folder: string, others: CoreNode[]): Promise<CoreNode> {
  const name = `node-${others.length}`
  const peers = others.toSorted(() => Math.random() - 0.5).slice(0, dials)
  return startCoreNode({
    name,
    dataDir: join(folder, name),
    logFile: join(folder, `${name}.log`),
    peers: peers.flatMap(({ multiaddrs }) => multiaddrs),
  })
}

export interface Listener {
  /** When the node said that it has processed each message, by hash. */
  arrivals: Map<string, number>
  socket: WebSocket
}

/** Listens to what a node processes. */
export async function listen(url: string): Promise<Listener> {
  const arrivals = new Map<string, number>()
  const socket = new WebSocket(`${url.replace('http', 'ws')}/api/ws0/messages?channels=bench&history=0`)
  socket.onmessage = ({ data }) => {
    arrivals.set((JSON.parse(String(data)) as { item_hash: string }).item_hash, performance.now())
  }
  await new Promise((resolve) => socket.addEventListener('open', resolve))
  return { arrivals, socket }
}

/** Milliseconds from sending each message until a listener was told, of those that it was told. */
export function delaysOf(sent: Map<string, number>, { arrivals }: Listener): number[] {
  return [...sent].flatMap(([hash, at]) => (arrivals.has(hash) ? [arrivals.get(hash)! - at] : []))
}

/** How many messages a node heard over gossip before each age, by its own histogram; ages in seconds. */
async function heardBuckets(url: string): Promise<Map<number, number>> {
  const text = await (await fetch(`${url}/metrics`)).text()
  const lines = text.matchAll(/^aleph_core_gossip_age_seconds_bucket\{le="([\d.]+)"\} (\d+)$/gm)
  return new Map(Array.from(lines, ([, age, count]) => [Number(age), Number(count)]))
}

/** The age below which so many of a hundred messages were heard, as the bound of a bucket, ms. */
function heardSpread(before: Map<number, number>[], after: Map<number, number>[]) {
  const ages = [...(after[0]?.keys() ?? [])]
  const total = (maps: Map<number, number>[], age: number) =>
    maps.reduce((sum, buckets) => sum + (buckets.get(age) ?? 0), 0)
  const counts = ages.map((age) => total(after, age) - total(before, age))
  const below = (percent: number) => {
    const index = counts.findIndex((count) => count >= ((counts.at(-1) ?? 0) * percent) / 100)
    return `< ${(ages[index] ?? Number.NaN) * 1_000}`
  }
  return { p50: below(50), p95: below(95), p99: below(99) }
}

/** Resolves when every listener heard of so many messages, or nobody will any more. */
async function arrival(listeners: { arrivals: Map<string, number> }[], count: number): Promise<void> {
  const deadline = performance.now() + patienceMs
  while (performance.now() < deadline) {
    if (listeners.every(({ arrivals }) => arrivals.size >= count)) return
    await sleep(100)
  }
}

/**
 * Hands messages to a node at a steady rate.
 *
 * @returns when each message was handed over, by hash, and how many the node did not acknowledge
 */
export async function send(url: string, bodies: string[], perSecond: number) {
  const sent = new Map<string, number>()
  let refused = 0
  const started = performance.now()
  for (const [index, body] of bodies.entries()) {
    const parsed = JSON.parse(body) as { message: { item_hash: string; time: number } }
    // Nobody signs the envelope's time: nodes tell by it how old a message was when they heard it.
    parsed.message.time = Date.now() / 1000
    sent.set(parsed.message.item_hash, performance.now())
    const headers = { 'content-type': 'application/json' }
    fetch(`${url}/api/v0/messages`, { method: 'POST', body: JSON.stringify(parsed), headers }).then(
      ({ ok }) => {
        if (!ok) refused += 1
      },
      () => {
        refused += 1
      },
    )
    // By the clock, so that what a timer oversleeps is made up for.
    await sleep(Math.max(0, started + ((index + 1) * 1_000) / perSecond - performance.now()))
  }
  return { sent, refused: () => refused }
}
