import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Envelope } from '@aleph-ts/protocol'
import { expect, test } from 'vitest'
import { NodeProcess } from './testing/node-process.ts'
import { TestNode } from './testing/test-node.ts'
import { newWallet, post } from './testing/wallet.ts'

async function send(url: string, message: Envelope): Promise<boolean> {
  try {
    const response = await fetch(`${url}/api/v0/messages`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ message }),
    })
    return response.status === 200 || response.status === 202
  } catch {
    return false
  }
}

async function processedHashes(url: string, address: string): Promise<Set<string>> {
  const response = await fetch(`${url}/api/v0/messages.json?addresses=${address}&pagination=1000`)
  if (response.status !== 200) return new Set()
  const { messages } = (await response.json()) as { messages: Envelope[] }
  return new Set(messages.map((message) => message.item_hash))
}

async function expectAllProcessed(url: string, address: string, acknowledged: string[]): Promise<void> {
  await expect
    .poll(
      async () => {
        const processed = await processedHashes(url, address)
        return acknowledged.filter((hash) => !processed.has(hash))
      },
      { timeout: 20_000, interval: 50 },
    )
    .toEqual([])
}

test('a node killed in the middle of a stream has processed every acknowledged message after its restart', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'aleph-crash-'))
  const wallet = newWallet()
  const messages = Array.from({ length: 400 }, (_, index) => post(wallet, index))
  const acknowledged: string[] = []
  let node = await NodeProcess.start(dataDir)
  try {
    for (const killAt of [100, 220]) {
      await Promise.all(
        Array.from({ length: 16 }, async () => {
          while (acknowledged.length < killAt) {
            const message = messages.shift()
            if (!message || !(await send(node.url, message))) return
            acknowledged.push(message.item_hash)
          }
        }),
      )
      await node.kill()
      node = await NodeProcess.start(dataDir)
    }
    await expectAllProcessed(node.url, wallet.address, acknowledged)
    expect(acknowledged.length).toBeGreaterThanOrEqual(220)
    expect(await node.stop()).toBe(0)
  } finally {
    await node.kill()
    await rm(dataDir, { recursive: true, force: true })
  }
})

test('a node whose database dies says so, starts it again and loses nothing', async () => {
  await using node = await TestNode.start({ config: { logLevel: 'fatal' } })
  const { url } = node.node
  const wallet = newWallet()
  const acknowledged: string[] = []
  const deliver = async (count: number) => {
    for (let index = 0; index < count; index++) {
      const message = post(wallet, index)
      if (await send(url, message)) acknowledged.push(message.item_hash)
    }
  }
  await deliver(20)
  const stream = deliver(60)
  const before = node.node.databasePid!
  process.kill(before, 'SIGKILL')
  await stream
  await expect.poll(async () => send(url, post(newWallet(), 'back')), { timeout: 20_000 }).toBe(true)
  expect(node.node.databasePid).not.toBe(before)
  await deliver(20)
  expect(acknowledged.length).toBeGreaterThanOrEqual(40)
  await expectAllProcessed(url, wallet.address, acknowledged)
})

test('two nodes cannot share one database', async () => {
  await using first = await TestNode.start()
  const databaseUrl = first.node.context.pool.options.connectionString
  await expect(TestNode.start({ config: { databaseUrl, logLevel: 'silent' } })).rejects.toMatchObject({
    code: 'database_in_use',
  })
})
