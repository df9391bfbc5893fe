import { itemHash, type MessageType, messageTypes } from '@aleph-ts/protocol'
import { afterAll, beforeAll, expect, test } from 'vitest'
// The same damaged messages as the protocol's own fuzz test.
import { damagedMessages } from '../../protocol/test/fuzz/messages.ts'
import { Random } from '../../protocol/test/fuzz/random.ts'
import { TestNode } from './testing/test-node.ts'
import { newWallet, post, sign } from './testing/wallet.ts'

const bursts = 40
const burstSize = 100
const maxBodyBytes = 1024 * 1024

const author = newWallet()
let node: TestNode
const unhandled: unknown[] = []
const note = (reason: unknown) => void unhandled.push(reason)

beforeAll(async () => {
  process.on('unhandledRejection', note)
  node = await TestNode.start()
})

afterAll(async () => {
  await node?.[Symbol.asyncDispose]()
  process.off('unhandledRejection', note)
})

/** JSON text, or undefined for what no JSON text says. */
function jsonOf(message: unknown): string | undefined {
  try {
    return JSON.stringify(message)
  } catch {
    // Too deep to be written by recursion: so we write it.
    return undefined
  }
}

/** A message whose damaged content somebody meant and signed, so that it gets as far as it can. */
function signedAnew(damaged: unknown): unknown {
  const { sender, item_content, type } = (damaged ?? {}) as Record<string, unknown>
  if (typeof sender !== 'string' || typeof item_content !== 'string' || !isMessageType(type)) return damaged
  const text = sender === '' ? item_content : item_content.replaceAll(sender, author.address)
  return sign(author, type, {}, { item_content: text, item_hash: itemHash(text) })
}

function isMessageType(type: unknown): type is MessageType {
  return messageTypes.some((known) => known === type)
}

/** The requests of one burst: damaged messages through every route that takes them, and a good one among them. */
function* requests(seed: number): Generator<{ path: string; body: string }> {
  const random = new Random(seed)
  const messages = damagedMessages(seed)
  for (;;) {
    const damaged = messages.next().value
    const message = jsonOf(random.next() < 0.5 ? signedAnew(damaged) : damaged) ?? '{}'
    const choice = random.next()
    if (choice < 0.8) {
      yield {
        path: '/api/v0/messages',
        body: `{"message":${message},"sync":${random.of([false, false, null, 1])}}`,
      }
    } else if (choice < 0.9) {
      const data = random.next() < 0.5 ? JSON.stringify(message) : message
      yield { path: '/api/v0/p2p/pubsub/pub', body: `{"topic":"ALEPH_DEVNET_MESSAGES","data":${data}}` }
    } else if (choice < 0.95) {
      yield { path: '/api/v0/price/estimate', body: `{"message":${message}}` }
    } else {
      yield { path: '/api/v0/messages', body: message.slice(0, random.below(message.length)) }
    }
  }
}

function hashesIn(body: string): string[] {
  return [...body.matchAll(/"item_hash":"([^"\\]{1,200})"/g)].map(([, hash]) => hash!)
}

async function send({
  path,
  body,
}: {
  path: string
  body: string
}): Promise<{ status: number; text: string }> {
  const headers = { 'content-type': 'application/json' }
  const response = await fetch(`${node.node.url}${path}`, { method: 'POST', headers, body })
  return { status: response.status, text: await response.text() }
}

test(`${bursts * burstSize} damaged requests in bursts are answered, none with 5xx, and good ones go through`, async () => {
  const wallet = newWallet()
  const stream = requests(7)
  const failures: string[] = []
  const good: string[] = []
  for (let burst = 0; burst < bursts; burst++) {
    const batch = Array.from({ length: burstSize }, () => stream.next().value!)
    const sent = batch.filter(({ body }) => body.length < maxBodyBytes)
    const published = post(wallet, { burst })
    good.push(published.item_hash)
    const accepted = node.publish(published)
    const answers = await Promise.all(sent.map(send))
    for (const [index, { status, text }] of answers.entries()) {
      if (status >= 500) failures.push(`${status} ${text} for ${sent[index]!.body.slice(0, 1_000)}`)
    }
    expect([200, 202]).toContain((await accepted).status)
    // What became of them can be asked for, too.
    for (const hash of sent.slice(0, 10).flatMap(({ body }) => hashesIn(body))) {
      const { status } = await node.get(`/api/v0/messages/${encodeURIComponent(hash)}`)
      if (status >= 500) failures.push(`${status} when asked about ${hash}`)
    }
  }
  expect((await node.get('/api/v0/messages.json?pagination=500')).status).toBe(200)
  for (const hash of good) {
    await expect
      .poll(async () => (await node.get(`/api/v0/messages/${hash}`)).body.status, { timeout: 60_000 })
      .toBe('processed')
  }
  const { rows } = await node.node.context.pool.query(
    `select item_hash, error_details::text from pending_messages where error_code = -1
     union all select item_hash, details::text from rejected_messages where error_code = -1`,
  )
  expect(rows, 'messages that no rule of the protocol covers').toEqual([])
  expect(failures.slice(0, 5)).toEqual([])
  expect(unhandled).toEqual([])
})

/** Valid as far as the shape of the envelope goes, with something under a key that is not looked at. */
function withExtra(extra: string): string {
  const text = JSON.stringify({ ...post(newWallet(), 'hello'), signature: '0x00' })
  return `{"message":${text.slice(0, -1)},"extra":${extra}}}`
}

test.each([
  ['nesting that no stack can follow', '['.repeat(100_000) + ']'.repeat(100_000)],
  ['nesting of objects', `${'{"a":'.repeat(50_000)}1${'}'.repeat(50_000)}`],
  ['an escaped NUL', '"\\u0000"'],
  ['half a surrogate pair', '"\\ud800"'],
  ['a number no double holds', '1e999'],
  ['a very long number', '9'.repeat(100_000)],
])(
  'a refused message with %s is kept or left, and those of the same moment are not harmed',
  async (_, extra) => {
    const [odd, good] = await Promise.all([
      send({ path: '/api/v0/messages', body: withExtra(extra) }),
      node.publish(post(newWallet(), 'in the same commit')),
    ])
    expect(odd.status, odd.text).toBe(422)
    expect(good.status).toBe(200)
  },
)
