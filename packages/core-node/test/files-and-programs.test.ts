import { createHash, randomBytes } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { GarbageCollector } from '../src/storage/garbage-collector.ts'
import { program, store } from './testing/program.ts'
import { TestNode } from './testing/test-node.ts'
import { newWallet, post, sign, type Wallet } from './testing/wallet.ts'

let node: TestNode

beforeAll(async () => {
  node = await TestNode.start()
})
afterAll(async () => {
  await node[Symbol.asyncDispose]()
})

const sha256 = (data: string | Uint8Array) => createHash('sha256').update(data).digest('hex')

async function stored(wallet: Wallet, content: string | Uint8Array, fields: Record<string, unknown> = {}) {
  const message = store(wallet, sha256(content), fields)
  const answer = await node.upload(content, message)
  expect(answer).toMatchObject({ status: 200, body: { status: 'success', hash: sha256(content) } })
  return message.item_hash
}

test('an uploaded file can be downloaded, looked at and found by its message', async () => {
  const wallet = newWallet()
  const bytes = randomBytes(3_000_000)
  const hash = sha256(bytes)
  const message = await stored(wallet, bytes)
  const raw = await fetch(`${node.node.url}/api/v0/storage/raw/${hash}`)
  expect(Buffer.from(await raw.arrayBuffer()).equals(bytes)).toBe(true)
  expect(raw.headers.get('content-length')).toBe('3000000')
  const head = await fetch(`${node.node.url}/api/v0/storage/raw/${hash}`, { method: 'HEAD' })
  expect([head.status, head.headers.get('content-length')]).toEqual([200, '3000000'])
  const base64 = (await node.get(`/api/v0/storage/${hash}`)).body.content
  expect(Buffer.from(base64, 'base64').equals(bytes)).toBe(true)
  const found = await node.get(`/api/v0/storage/by-message-hash/${message}`)
  expect(found.body).toMatchObject({ file_hash: hash, owner: wallet.address, size: 3_000_000, ref: message })
  expect((await node.get(`/api/v0/storage/metadata/${hash}`)).body).toMatchObject({
    size: 3_000_000,
    type: 'file',
  })
  const files = await node.get(`/api/v0/addresses/${wallet.address}/files`)
  expect(files.body).toMatchObject({ total_size: 3_000_000, files: [{ item_hash: message }] })
  expect((await node.get(`/api/v0/storage/raw/${sha256('missing')}`)).status).toBe(404)
  expect((await node.get('/api/v0/storage/raw/..%2F..%2Foperator.key')).status).toBe(400)
})

test('files arrive raw, as forms and as JSON', async () => {
  const raw = await fetch(`${node.node.url}/api/v0/storage/add_file`, {
    method: 'POST',
    headers: { 'content-type': 'application/octet-stream' },
    body: 'raw bytes',
  })
  expect(await raw.json()).toEqual({ status: 'success', hash: sha256('raw bytes') })
  expect((await node.upload('a form')).body).toEqual({ status: 'success', hash: sha256('a form') })
  const json = await node.post('/api/v0/storage/add_json', { last_name: 'Son', 'first name': 'Jay' })
  expect(json.body.hash).toBe(sha256('{"first name":"Jay","last_name":"Son"}'))
  expect((await node.get(`/api/v0/storage/raw/${json.body.hash}`)).status).toBe(200)
})

test('uploads that do not fit their message are refused', async () => {
  const wallet = newWallet()
  const message = store(wallet, sha256('right'))
  expect((await node.upload('wrong', message)).body.error).toContain('File hash does not match')
  expect((await node.upload('right', { ...message, signature: null })).status).toBe(403)
  const post = sign(wallet, 'POST', { type: 'x', content: 1 })
  expect((await node.upload('right', post)).body.error).toContain('Could not decode metadata')
  expect((await node.upload(new Uint8Array(25 * 1024 * 1024 + 1))).status).toBe(413)
  const raw = await fetch(`${node.node.url}/api/v0/storage/add_file`, {
    method: 'POST',
    headers: { 'content-type': 'application/octet-stream' },
    body: new Uint8Array(30 * 1024 * 1024),
  })
  expect(raw.status).toBe(413)
  const empty = await fetch(`${node.node.url}/api/v0/storage/add_file`, {
    method: 'POST',
    body: new FormData(),
  })
  expect(empty.status).toBe(400)
  const poor = new Uint8Array(26 * 1024 * 1024)
  const unpaid = await node.upload(poor, store(wallet, sha256(poor)))
  expect(unpaid).toMatchObject({ status: 402, body: { error_code: 5 } })
})

test('the newest revision of a named file is the one that is found', async () => {
  const wallet = newWallet()
  const first = await stored(wallet, 'v1', { ref: 'site' })
  await stored(wallet, 'v2', { ref: 'site' })
  const found = await node.get(`/api/v0/storage/by-ref/${wallet.address}/site`)
  expect(found.body).toMatchObject({ file_hash: sha256('v2'), ref: 'site', owner: wallet.address })
  const update = store(wallet, sha256('v2'), { ref: first })
  expect((await node.publish(update)).body.error_code).toBe(201)
  const theirs = store(newWallet(), sha256('v2'), { ref: await stored(wallet, 'plain') })
  expect((await node.publish(theirs)).body.error_code).toBe(2)
  expect((await node.publish(sign(wallet, 'FORGET', { hashes: [first] }))).status).toBe(200)
  expect((await node.get(`/api/v0/storage/by-ref/${wallet.address}/site`)).body.file_hash).toBe(sha256('v2'))
})

test('a program is accepted from who holds enough and refused to who does not', async () => {
  const [rich, poor] = [newWallet(), newWallet()]
  await node.fund(rich.address, '2000')
  await node.fund(poor.address, '150')
  const refs = { code: await stored(rich, 'code'), runtime: await stored(rich, 'runtime') }
  const message = program(rich, refs)
  expect((await node.publish(message)).status).toBe(200)
  const refused = await node.publish(program(poor, refs))
  expect(refused).toMatchObject({ status: 422, body: { error_code: 5, message_status: 'rejected' } })
  const [shortfall] = refused.body.details.errors
  expect(Number(shortfall.required_balance)).toBeGreaterThanOrEqual(200)
  expect(Number(shortfall.account_balance)).toBe(150)

  const price = await node.get(`/api/v0/price/${message.item_hash}`)
  expect(price.body).toMatchObject({ payment_type: 'hold', charged_address: rich.address })
  expect(Number(price.body.cost)).toBeGreaterThanOrEqual(200)
  const estimate = await node.post('/api/v0/price/estimate', { message })
  expect(estimate.body).toMatchObject({ cost: price.body.cost, detail: price.body.detail })
  const balance = await node.get(`/api/v0/addresses/${rich.address}/balance`)
  expect(balance.body).toMatchObject({ balance: 2000, details: { ETH: 2000 } })
  expect(balance.body.locked_amount).toBeGreaterThanOrEqual(200)

  const costly = program(rich, refs, { resources: { vcpus: 10, memory: 256, seconds: 30 } })
  expect((await node.publish(costly)).body.error_code).toBe(5)
  expect((await node.publish(sign(rich, 'FORGET', { hashes: [refs.code] }))).body.error_code).toBe(503)
  expect((await node.publish(sign(rich, 'FORGET', { hashes: [message.item_hash] }))).status).toBe(200)
  expect((await node.get(`/api/v0/price/${message.item_hash}`)).status).toBe(410)
  expect((await node.publish(costly)).body.error_code).toBe(5)
  expect((await node.publish(sign(rich, 'FORGET', { hashes: [refs.code] }))).status).toBe(200)
})

test('the price of a forgotten file can still be asked for, as billing does', async () => {
  const wallet = newWallet()
  const bytes = new Uint8Array(1024 * 1024)
  const { hash } = (await node.upload(bytes)).body
  const message = store(wallet, hash)
  expect((await node.publish(message)).status).toBe(200)
  const before = await node.get(`/api/v0/price/${message.item_hash}`)
  expect((await node.publish(sign(wallet, 'FORGET', { hashes: [message.item_hash] }))).status).toBe(200)
  const after = await node.get(`/api/v0/price/${message.item_hash}`)
  expect(after).toEqual(before)
  expect(after.body).toMatchObject({ cost: '0.333333333000000000', charged_address: wallet.address })
})

test('a program that names an unknown runtime waits for it', async () => {
  const wallet = newWallet()
  await node.fund(wallet.address, '2000')
  const runtime = store(wallet, sha256('late runtime'))
  const message = program(wallet, { code: await stored(wallet, 'some code'), runtime: runtime.item_hash })
  expect((await node.publish(message, false)).body.message_status).toBe('pending')
  const pending = () => node.get(`/api/v0/messages/${message.item_hash}`)
  await expect
    .poll(async () => (await pending()).body.messages?.[0])
    .toMatchObject({
      error_code: 301,
      details: { errors: [runtime.item_hash] },
    })
  await node.upload('late runtime', runtime)
  await expect.poll(async () => (await pending()).body.status).toBe('processed')
})

test('a STORE message whose file nobody has stays pending and says so', async () => {
  const message = store(newWallet(), sha256('nowhere'))
  expect((await node.publish(message, false)).body.message_status).toBe('pending')
  const found = () => node.get(`/api/v0/messages/${message.item_hash}`)
  await expect.poll(async () => (await found()).body.messages?.[0].error_code).toBe(4)
})

test('a message whose content is a file is processed from that file', async () => {
  const wallet = newWallet()
  const text = JSON.stringify({
    address: wallet.address,
    time: 1_700_000_000,
    type: 'big',
    content: 'x'.repeat(300_000),
  })
  await node.upload(text)
  const message = sign(
    wallet,
    'POST',
    {},
    { item_type: 'storage', item_content: null, item_hash: sha256(text) },
  )
  expect((await node.publish(message)).status).toBe(200)
  const { body } = await node.get(`/api/v0/messages.json?hashes=${message.item_hash}`)
  expect(body.messages[0]).toMatchObject({ item_content: null, size: text.length, content: { type: 'big' } })
})

test('a message whose content came apart, but could have come with it, is the same as if it had', async () => {
  const wallet = newWallet()
  const inline = post(wallet, 'short')
  await node.upload(inline.item_content!)
  const apart = { ...inline, item_type: 'storage', item_content: null }
  expect((await node.publish(apart)).body).toMatchObject({ message_status: 'processed' })
  const { item_type, item_content, item_hash } = inline
  const { body } = await node.get(`/api/v0/messages.json?hashes=${item_hash}`)
  expect(body.messages[0]).toMatchObject({ item_type, item_content, size: item_content!.length })

  // Nothing keeps the file now; nodes that know the message by its file still get it.
  await node.node.context.fileStore.delete(item_hash)
  await node.node.context.pool.query('delete from file_pins where file_hash = $1', [item_hash])
  await node.node.context.pool.query('delete from files where hash = $1', [item_hash])
  const raw = `${node.node.url}/api/v0/storage/raw/${item_hash}`
  expect(await (await fetch(raw)).text()).toBe(item_content)
  expect(await (await fetch(raw, { headers: { range: 'bytes=1-3' } })).text()).toBe(item_content!.slice(1, 4))
  const { content } = (await node.get(`/api/v0/storage/${item_hash}`)).body
  expect(Buffer.from(content, 'base64').toString()).toBe(item_content)
})

test('files that nothing keeps are deleted after the grace period, others stay', async () => {
  const wallet = newWallet()
  await stored(wallet, 'kept')
  await node.upload('unclaimed')
  const { pool, fileStore, logger, events } = node.node.context
  const collector = new GarbageCollector(
    { pool, fileStore, logger, events },
    { exclusively: (work) => work() },
  )
  const hours = (count: number) => Date.now() + count * 3600 * 1000
  await collector.collect(hours(23))
  expect(await fileStore.has(sha256('unclaimed'))).toBe(true)
  await collector.collect(hours(25))
  expect(await fileStore.has(sha256('unclaimed'))).toBe(false)
  expect((await node.get(`/api/v0/storage/raw/${sha256('unclaimed')}`)).status).toBe(404)
  expect((await node.get(`/api/v0/storage/raw/${sha256('kept')}`)).status).toBe(200)
})

test('one account pays, however its address is spelled', async () => {
  const wallet = newWallet()
  await node.fund(wallet.address, '300')
  const refs = { code: await stored(wallet, 'c'), runtime: await stored(wallet, 'r') }
  expect((await node.publish(program(wallet, refs))).status).toBe(200)
  const lower = program(wallet, refs, { address: wallet.address.toLowerCase() })
  expect((await node.publish(lower)).body.error_code).toBe(5)
})
