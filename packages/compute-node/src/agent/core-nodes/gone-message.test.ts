import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { afterEach, expect, test } from 'vitest'
import { CoreNodes } from './core-nodes.ts'
import { MessageSource } from './message-source.ts'

const closing: (() => void)[] = []
afterEach(() => {
  for (const close of closing.splice(0)) close()
})

/** A core node that says this of every message; null: it knows none. */
async function coreNode(status: string | null): Promise<string> {
  const server = createServer((_request, response) => {
    response.writeHead(status === null ? 404 : 200)
    response.end(JSON.stringify({ status, message: {} }))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  closing.push(() => server.close())
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

test.each([
  ['one says so, and it is the only one', ['forgotten'], true],
  ['all say so', ['forgotten', 'removed'], true],
  ['one says so and another denies it', ['rejected', 'processed'], false],
  ['the first denies it', ['processed', 'forgotten', 'forgotten'], false],
  ['more say so than not', ['forgotten', 'processed', 'removed'], true],
  ['one says so and others do not know it', ['forgotten', null, 'pending'], true],
  ['nobody knows it', [null, null], false],
])('a message is gone or not: %s', async (_who, said, gone) => {
  const logger = pino({ level: 'silent' })
  const servers = await Promise.all(said.map(coreNode))
  const messages = new MessageSource({
    coreNodes: new CoreNodes({ servers, logger }),
    cacheDir: join(tmpdir(), 'aleph-no-messages'),
    latestFreshMs: 0,
    logger,
  })
  expect(await messages.isGone('ab'.repeat(32))).toBe(gone)
})

test('nobody who can be asked says no', async () => {
  const logger = pino({ level: 'silent' })
  const coreNodes = new CoreNodes({ servers: ['http://127.0.0.1:1'], logger })
  const messages = new MessageSource({ coreNodes, cacheDir: '/nowhere', latestFreshMs: 0, logger })
  expect(await messages.isGone('ab'.repeat(32))).toBe(false)
})
