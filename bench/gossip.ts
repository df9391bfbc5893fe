import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { startCoreNode } from '@aleph-ts/devnet'
import { signedPosts } from './signed-posts.ts'
import { spread } from './statistics.ts'

const perSecond = 50

/**
 * From the moment one core node is handed a message to the moment another tells its websocket listeners
 * that it has processed it, at a steady trickle, in milliseconds. Both nodes and the clock share one machine.
 */
export async function benchGossip({ count = 500 } = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'aleph-bench-'))
  const first = await startCoreNode({ name: 'a', dataDir: join(folder, 'a'), logFile: join(folder, 'a.log') })
  const second = await startCoreNode({
    name: 'b',
    dataDir: join(folder, 'b'),
    logFile: join(folder, 'b.log'),
    peers: first.multiaddrs,
  })
  try {
    const arrivals = new Map<string, number>()
    const socket = new WebSocket(
      `${second.url.replace('http', 'ws')}/api/ws0/messages?channels=bench&history=0`,
    )
    socket.onmessage = ({ data }) => {
      arrivals.set((JSON.parse(String(data)) as { item_hash: string }).item_hash, performance.now())
    }
    await new Promise((resolve) => socket.addEventListener('open', resolve))
    await sleep(3_000)

    const sent = new Map<string, number>()
    for (const body of signedPosts(count)) {
      const { message } = JSON.parse(body) as { message: { item_hash: string } }
      sent.set(message.item_hash, performance.now())
      void fetch(`${first.url}/api/v0/messages`, {
        method: 'POST',
        body,
        headers: { 'content-type': 'application/json' },
      })
      await sleep(1_000 / perSecond)
    }
    await sleep(3_000)
    socket.close()
    const delays = [...sent].flatMap(([hash, at]) => (arrivals.has(hash) ? [arrivals.get(hash)! - at] : []))
    return {
      messages: count,
      arrived: delays.length,
      'messages per second': perSecond,
      'delay, ms': spread(delays),
    }
  } finally {
    await second.stop()
    await first.stop()
    rmSync(folder, { recursive: true, force: true })
  }
}
