import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Envelope } from '@aleph-ts/protocol'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { DatabaseServer } from '../../src/testing/database-server.ts'
import { NodeProcess } from '../testing/node-process.ts'
import { newWallet, post, sign } from '../testing/wallet.ts'

let dataDir: string
let server: DatabaseServer
let environment: Record<string, string>
let processing: NodeProcess
let first: NodeProcess
let second: NodeProcess

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'aleph-roles-'))
  server = await DatabaseServer.start()
  const pool = await server.create('node')
  environment = { DATABASE_URL: pool.options.connectionString! }
  ;[processing, first, second] = await Promise.all([start('process'), start('api'), start('api')])
})

afterAll(async () => {
  for (const node of [first, second, processing]) await node?.kill()
  await server?.[Symbol.asyncDispose]()
  await rm(dataDir, { recursive: true, force: true })
})

function start(role: string): Promise<NodeProcess> {
  return NodeProcess.start(dataDir, { ...environment, ALEPH_CORE_ROLE: role })
}

async function publish(node: NodeProcess, message: Envelope, sync = true) {
  const response = await fetch(`${node.url}/api/v0/messages`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ message, sync }),
  })
  return { status: response.status, body: (await response.json()) as Record<string, unknown> }
}

async function statusOf(node: NodeProcess, hash: string): Promise<string> {
  const response = await fetch(`${node.url}/api/v0/messages/${hash}/status`)
  return ((await response.json()) as { status: string }).status
}

test('a message posted at one API process is processed, and can be read at another at once', async () => {
  const message = post(newWallet(), 'hello')
  expect(await publish(first, message)).toMatchObject({
    status: 200,
    body: { message_status: 'processed' },
  })
  expect(await statusOf(second, message.item_hash)).toBe('processed')
  const list = await fetch(`${second.url}/api/v0/messages.json?hashes=${message.item_hash}`)
  expect(await list.json()).toMatchObject({ messages: [{ item_hash: message.item_hash }] })
})

test('a refused message is refused by the API process that took it, with the reason', async () => {
  const wallet = newWallet()
  const forbidden = sign(wallet, 'POST', { address: newWallet().address, type: 'note', content: 'not mine' })
  const { status, body } = await publish(first, forbidden)
  expect(status).toBe(422)
  expect(body).toMatchObject({ message_status: 'rejected', error_code: 2 })
  expect(await statusOf(second, forbidden.item_hash)).toBe('rejected')
})

test('feeds and events of an API process tell what was posted at another', async () => {
  const wallet = newWallet()
  const socket = new WebSocket(
    `${second.url.replace('http', 'ws')}/api/ws0/messages?addresses=${wallet.address}`,
  )
  const frame = new Promise<string>((resolve) => {
    socket.addEventListener('message', ({ data }) => resolve(String(data)), { once: true })
  })
  await new Promise((resolve) => socket.addEventListener('open', resolve, { once: true }))
  const stopping = new AbortController()
  const events = await fetch(
    `${second.url}/api/v1/events?topics=message,aggregate&address=${wallet.address}`,
    {
      signal: stopping.signal,
    },
  )
  const told = readUntil(events.body!, 'event: aggregate')
  const message = sign(wallet, 'AGGREGATE', { key: 'profile', content: { name: 'Alice' } })
  await publish(first, message, false)
  expect(JSON.parse(await frame)).toMatchObject({ item_hash: message.item_hash, confirmed: false })
  expect(await told).toContain(message.item_hash)
  stopping.abort()
  socket.close()
})

test('a file uploaded at one API process can be downloaded at another', async () => {
  const upload = await fetch(`${first.url}/api/v0/storage/add_file`, {
    method: 'POST',
    headers: { 'content-type': 'application/octet-stream' },
    body: 'some bytes',
  })
  const { hash } = (await upload.json()) as { hash: string }
  const download = await fetch(`${second.url}/api/v0/storage/raw/${hash}`)
  expect(await download.text()).toBe('some bytes')
})

test('every process says where the node is reached, and only API processes serve clients', async () => {
  const info = async (node: NodeProcess) => (await fetch(`${node.url}/api/v0/info/public.json`)).json()
  // The processing node says it every few seconds.
  await expect.poll(() => info(first), { timeout: 20_000 }).toEqual(await info(processing))
  expect((await fetch(`${processing.url}/api/v0/messages.json`)).status).toBe(404)
  expect((await fetch(`${processing.url}/metrics.json`)).status).toBe(200)
})

test('while the processing node is dead messages are taken, and processed after its restart', async () => {
  await processing.kill()
  const messages = Array.from({ length: 20 }, (_, index) => post(newWallet(), index))
  const answers = await Promise.all(
    messages.map((message, index) => publish(index % 2 ? first : second, message, false)),
  )
  expect(answers.map(({ status }) => status)).toEqual(messages.map(() => 202))
  expect(await statusOf(first, messages[0]!.item_hash)).toBe('pending')
  processing = await start('process')
  await expect
    .poll(async () => Promise.all(messages.map(({ item_hash }) => statusOf(first, item_hash))), {
      timeout: 20_000,
      interval: 100,
    })
    .toEqual(messages.map(() => 'processed'))
  // And the API processes hear of what comes next.
  expect(await publish(second, post(newWallet(), 'back'))).toMatchObject({ status: 200 })
})

test('a second processing process is refused while the first one lives', async () => {
  await expect(start('process')).rejects.toThrow('Another core node uses this database')
})

test('an API process without a shared database says what it needs', async () => {
  await expect(NodeProcess.start(dataDir, { ALEPH_CORE_ROLE: 'api' })).rejects.toThrow('DATABASE_URL')
})

test('processes end cleanly when told to, with feeds open', async () => {
  const socket = new WebSocket(`${second.url.replace('http', 'ws')}/api/ws0/messages`)
  await new Promise((resolve) => socket.addEventListener('open', resolve, { once: true }))
  const closed = new Promise<number>((resolve) =>
    socket.addEventListener('close', ({ code }) => resolve(code)),
  )
  expect(await Promise.all([first.stop(), second.stop(), processing.stop()])).toEqual([0, 0, 0])
  expect(await closed).toBe(1001)
})

async function readUntil(body: ReadableStream<Uint8Array>, words: string): Promise<string> {
  let text = ''
  for await (const chunk of body.pipeThrough(new TextDecoderStream())) {
    text += chunk
    if (text.includes(words) && text.endsWith('\n\n')) return text
  }
  return text
}
