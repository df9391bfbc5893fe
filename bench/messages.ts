import { mkdtempSync, rmSync } from 'node:fs'
import { Agent, request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { startCoreNode } from '@aleph-ts/devnet'
import { signedPosts } from './signed-posts.ts'
import { spread } from './statistics.ts'

const connections = 64
const warmUp = 2_000

/** How many signed POSTs a second one core node accepts (durably) and processes, with 64 connections. */
export async function benchMessages({ count = 20_000 } = {}) {
  const dataDir = mkdtempSync(join(tmpdir(), 'aleph-bench-'))
  const node = await startCoreNode({ name: 'core', dataDir, logFile: join(dataDir, 'core.log') })
  try {
    await send(node.url, signedPosts(warmUp))
    await processed(node.url)

    const bodies = signedPosts(count)
    const started = performance.now()
    const latencies = await send(node.url, bodies)
    const accepted = performance.now() - started
    await processed(node.url)
    const total = performance.now() - started
    return {
      messages: count,
      connections,
      'accepted per second': Math.round((count / accepted) * 1000),
      'accepted and processed per second': Math.round((count / total) * 1000),
      'time to the answer, ms': spread(latencies),
    }
  } finally {
    await node.stop()
    rmSync(dataDir, { recursive: true, force: true })
  }
}

/** Sends every body over a fixed number of connections; answers how long each took, in ms. */
async function send(url: string, bodies: string[]): Promise<number[]> {
  const agent = new Agent({ keepAlive: true, maxSockets: connections })
  const latencies: number[] = []
  let next = 0
  const worker = async () => {
    while (next < bodies.length) {
      const body = bodies[next++]!
      const started = performance.now()
      const status = await post(agent, `${url}/api/v0/messages`, body)
      if (status !== 200 && status !== 202) throw new Error(`the node answered ${status}`)
      latencies.push(performance.now() - started)
    }
  }
  await Promise.all(Array.from({ length: connections }, worker))
  agent.destroy()
  return latencies
}

function post(agent: Agent, url: string, body: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }
    const sent = request(url, { method: 'POST', agent, headers }, (response) => {
      response.resume().on('end', () => resolve(response.statusCode ?? 0))
    })
    sent.on('error', reject).end(body)
  })
}

/** Resolves when nothing waits any more. */
async function processed(url: string): Promise<void> {
  for (;;) {
    const metrics = (await (await fetch(`${url}/metrics.json`)).json()) as Record<string, unknown>
    if (metrics.pyaleph_status_sync_pending_messages_total === 0) return
    await sleep(20)
  }
}
