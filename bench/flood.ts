import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { FloodingPeer } from '@aleph-ts/core-node/testing'
import { type CoreNode, delaysOf, listen, send, startNode } from './gossip.ts'
import { processorTimes } from './processor-time.ts'
import { signedPosts } from './signed-posts.ts'
import { spread } from './statistics.ts'

const floodPerSecond = 5_000
const honestPerSecond = 20
const seconds = 10
/** Strangers that come one after the other, each when the one before was shut out. */
const strangers = 8
const messagesOfEach = 20_000
/** The last honest messages may still be on their way, ms. */
const patienceMs = 15_000

/**
 * One node hands messages on to another one, first in peace, then while strangers send that one forged messages: each
 * until it is shut out, then the next, under another name, for as long as honest messages are sent.
 */
export async function benchFlood() {
  const folder = mkdtempSync(join(tmpdir(), 'aleph-bench-'))
  const nodes: CoreNode[] = []
  const peers: FloodingPeer[] = []
  try {
    while (nodes.length < 2) nodes.push(await startNode(folder, nodes))
    while (peers.length < strangers) peers.push(await FloodingPeer.create(messagesOfEach))
    const [target, honest] = nodes as [CoreNode, CoreNode]
    await measure(target, honest, async () => {})
    const peace = await measure(target, honest, async () => {})
    const floods: { sent: number; seconds: number }[] = []
    const flooded = await measure(target, honest, async (isOver) => {
      for (const peer of peers) {
        const begun = performance.now()
        const sent = await peer.flood(target.multiaddrs[0]!, floodPerSecond)
        floods.push({ sent, seconds: Math.round(performance.now() - begun) / 1_000 })
        if (isOver()) return
      }
    })
    return {
      peace,
      flooded,
      'until each stranger was shut out': floods,
      'load of the machine': loadavg()[0],
    }
  } finally {
    for (const peer of peers) await peer.stop()
    for (const node of nodes) await node.stop()
    rmSync(folder, { recursive: true, force: true })
  }
}

async function measure(
  target: CoreNode,
  honest: CoreNode,
  disturb: (isOver: () => boolean) => Promise<void>,
) {
  const listener = await listen(target.url)
  const bodies = signedPosts(seconds * honestPerSecond)
  const [timeBefore, memoryBefore] = [processorTimes([target.pid])[0]!, memoryOf(target.pid)]
  let over = false
  const disturbance = disturb(() => over)
  const { sent } = await send(honest.url, bodies, honestPerSecond)
  over = true
  const deadline = performance.now() + patienceMs
  while (listener.arrivals.size < bodies.length && performance.now() < deadline) await sleep(50)
  const memoryMib = memoryOf(target.pid)
  await disturbance
  const spent = processorTimes([target.pid])[0]!.own - timeBefore.own
  listener.socket.close()
  return {
    'honest messages': `${listener.arrivals.size} of ${bodies.length}`,
    'delay, ms': spread(delaysOf(sent, listener)),
    'processor time of the node, s': spent / 1_000,
    'memory of the node, MiB': `${memoryBefore} before, ${memoryMib} after`,
  }
}

/** What a process holds in memory, MiB. */
function memoryOf(pid: number): number {
  const kib = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
  return Math.round(Number(kib) / 1024)
}
