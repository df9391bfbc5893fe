import { createHash } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { TestNode } from './testing/test-node.ts'
import { newWallet, nextTime, post, sign } from './testing/wallet.ts'

let node: TestNode

beforeAll(async () => {
  node = await TestNode.start()
})
afterAll(async () => {
  await node[Symbol.asyncDispose]()
})

const sha256 = (data: string) => createHash('sha256').update(data).digest('hex')

test('a signed post is processed and can be read back in every form', async () => {
  const wallet = newWallet()
  const message = post(wallet, { text: 'hello', big: 1 }, { type: 'greeting' })
  const { status, body } = await node.publish(message)
  expect(status).toBe(200)
  expect(body).toMatchObject({
    message_status: 'processed',
    publication_status: { status: 'success', failed: [] },
  })

  const single = await node.get(`/api/v0/messages/${message.item_hash}`)
  expect(single.body).toMatchObject({ status: 'processed', item_hash: message.item_hash })
  expect(single.body.message).toMatchObject({
    ...message,
    time: expect.closeTo(message.time, 5),
    confirmed: false,
  })
  const list = await node.get(`/api/v0/messages.json?addresses=${wallet.address}`)
  expect(list.body.messages).toHaveLength(1)
  expect(list.body).toMatchObject({ pagination_total: 1, pagination_page: 1, pagination_per_page: 20 })
  expect(list.body.messages[0].content).toEqual(JSON.parse(message.item_content!))
  expect((await node.get(`/api/v0/messages/${message.item_hash}/content`)).body).toEqual({
    text: 'hello',
    big: 1,
  })
  expect((await node.get(`/api/v0/messages/${message.item_hash}/status`)).body.status).toBe('processed')
  const posts = await node.get(`/api/v1/posts.json?addresses=${wallet.address}&types=greeting`)
  expect(posts.body.posts[0]).toMatchObject({ content: { text: 'hello', big: 1 }, original_type: 'greeting' })
})

test('the state has a digest, which a message changes', async () => {
  const digest = async () => (await node.get('/api/v1/state/digest')).body
  const before = await digest()
  expect(before.tables.posts).toMatch(/^[0-9a-f]{64}$/)
  await node.publish(post(newWallet(), 'something new'))
  const after = await digest()
  expect(after.digest).not.toBe(before.digest)
  expect(after.tables.vms).toBe(before.tables.vms)
})

test('sending a processed message again is answered at once', async () => {
  const message = post(newWallet(), 'again')
  await node.publish(message)
  expect(await node.publish(message, false)).toMatchObject({
    status: 200,
    body: { message_status: 'processed' },
  })
})

test('bad messages are refused with the error of the protocol, and their hash tells why', async () => {
  const wallet = newWallet()
  const good = post(wallet, 'x')
  const text = good.item_content!
  const cases = [
    { name: 'unsigned', message: { ...good, signature: null }, code: 1 },
    { name: 'signed by another', message: { ...good, signature: post(newWallet(), 'y').signature }, code: 1 },
    { name: 'broken signature', message: { ...good, signature: '0x1234' }, code: 1 },
    { name: 'wrong hash', message: { ...good, item_hash: sha256('other') }, code: 0 },
    { name: 'unknown type', message: { ...good, type: 'NOTE' }, code: 0 },
    { name: 'unknown chain', message: { ...good, chain: 'MOON' }, code: 0 },
    { name: 'not JSON', message: { ...good, item_content: '{', item_hash: sha256('{') }, code: 0 },
    { name: 'NUL', message: sign(wallet, 'POST', { type: 'note', content: 'a\u0000b' }), code: 0 },
    { name: 'missing fields', message: sign(wallet, 'POST', { content: 1 }), code: 0 },
    { name: 'far future', message: sign(wallet, 'POST', { type: 'a', content: 1, time: 4e9 }), code: 0 },
    { name: 'oversize', message: post(wallet, 'x'.repeat(200_001)), code: 0 },
    { name: 'time is text', message: { ...good, time: 'now' }, code: 0 },
  ]
  for (const { name, message, code } of cases) {
    const { status, body } = await node.publish(message)
    expect({ name, status, code: body.error_code }).toEqual({ name, status: 422, code })
    expect(body.message_status, name).toBe('rejected')
    expect(body.error, name).toBeTypeOf('string')
    const found = await node.get(`/api/v0/messages/${message.item_hash}`)
    expect({ name, ...found.body }, name).toMatchObject({ status: 'rejected', error_code: code })
  }
  expect(text).toBe(good.item_content)
  expect((await node.publish(good)).status).toBe(200)
  expect((await node.get(`/api/v0/messages/${good.item_hash}`)).body.status).toBe('processed')
})

test('requests that are no messages get a clear answer', async () => {
  for (const body of [{}, { message: 1 }, { message: [] }, [], { message: { item_hash: 5 } }]) {
    const answer = await node.post('/api/v0/messages', body)
    expect(answer.status).toBe(422)
    expect(answer.body.error).toContain('InvalidMessageFormat')
  }
  const broken = await fetch(`${node.node.url}/api/v0/messages`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{"message":',
  })
  expect(broken.status).toBe(422)
  const huge = await node.post('/api/v0/messages', { message: 'x'.repeat(2_000_000) })
  expect(huge.status).toBe(413)
  expect((await node.get('/api/v0/messages/nonsense')).status).toBe(400)
  expect((await node.get(`/api/v0/messages/${sha256('unknown')}`)).status).toBe(404)
  expect((await node.get('/api/v0/messages.json?msgType=NOTE')).status).toBe(422)
  expect((await node.get('/api/v0/messages.json?startDate=1e400')).status).toBe(422)
  expect((await node.get('/api/v0/messages.json?cursor=rubbish')).status).toBe(422)
  expect((await node.get('/api/v0/messages.json?channels=%00')).status).toBe(422)
  expect((await node.get('/api/v0/nothing')).status).toBe(404)
})

test('a forged copy cannot take the place of a stored message', async () => {
  const message = post(newWallet(), 'mine')
  await node.publish(message)
  expect((await node.publish({ ...message, signature: post(newWallet(), 'no').signature })).status).toBe(422)
  const { body } = await node.get(`/api/v0/messages/${message.item_hash}`)
  expect(body).toMatchObject({ status: 'processed', message: { signature: message.signature } })
})

test('an amend shows in place of the post, the newest one wins', async () => {
  const wallet = newWallet()
  const original = post(wallet, { v: 1 })
  await node.publish(original)
  const older = post(wallet, { v: 2 }, { type: 'amend', ref: original.item_hash })
  const newer = post(wallet, { v: 3 }, { type: 'amend', ref: original.item_hash })
  await node.publish(newer)
  await node.publish(older)
  const { body } = await node.get(`/api/v0/posts.json?hashes=${original.item_hash}`)
  expect(body.posts[0]).toMatchObject({ content: { v: 3 }, item_hash: newer.item_hash, type: 'amend' })
  expect(Object.keys(body.posts[0])).toHaveLength(19)
  expect((await node.publish(post(wallet, 1, { type: 'amend', ref: newer.item_hash }))).body.error_code).toBe(
    102,
  )
  expect(
    (await node.publish(post(newWallet(), 1, { type: 'amend', ref: original.item_hash }))).body.error_code,
  ).toBe(2)
})

test('an amend that arrives before its post waits for it', async () => {
  const wallet = newWallet()
  const original = post(wallet, { v: 1 })
  const amend = post(wallet, { v: 2 }, { type: 'amend', ref: original.item_hash })
  expect((await node.publish(amend, false)).body.message_status).toBe('pending')
  await expect
    .poll(async () => (await node.get(`/api/v0/messages/${amend.item_hash}`)).body.messages?.[0].error_code)
    .toBe(101)
  await node.publish(original)
  await node.settled()
  const { body } = await node.get(`/api/v1/posts.json?hashes=${original.item_hash}`)
  expect(body.posts[0].content).toEqual({ v: 2 })
})

test('aggregates merge by key, and only those who were allowed write them', async () => {
  const [owner, helper] = [newWallet(), newWallet()]
  const set = (content: object, time?: number) =>
    sign(owner, 'AGGREGATE', { key: 'profile', content, ...(time && { time }) })
  await node.publish(set({ name: 'A', city: 'Paris' }))
  await node.publish(set({ name: 'B' }))
  await node.publish(set({ name: 'C', old: true }, 1000))
  const path = `/api/v0/aggregates/${owner.address}.json`
  const { body } = await node.get(`${path}?keys=profile&with_info=true`)
  expect(body.data).toEqual({ profile: { name: 'B', city: 'Paris', old: true } })
  expect(body.info.profile.created).toBe('1970-01-01T00:16:40+00:00')
  expect((await node.get(`${path}?keys=profile&value_only=1`)).body).toEqual(body.data.profile)
  expect((await node.get(`${path}?keys=other`)).status).toBe(404)

  const delegated = () =>
    sign(helper, 'AGGREGATE', { address: owner.address, key: 'profile', content: { by: 'h' } })
  expect((await node.publish(delegated())).body.error_code).toBe(2)
  const authorizations = [{ address: helper.address, types: ['AGGREGATE'], aggregate_keys: ['profile'] }]
  await node.publish(sign(owner, 'AGGREGATE', { key: 'security', content: { authorizations } }))
  expect((await node.publish(delegated())).status).toBe(200)
  const stolen = sign(helper, 'AGGREGATE', { address: owner.address, key: 'security', content: {} })
  expect((await node.publish(stolen)).body.error_code).toBe(2)
})

test('a forgotten message is gone with what it made, and stays forgotten', async () => {
  const wallet = newWallet()
  const original = post(wallet, 'secret')
  await node.publish(original)
  await node.publish(post(wallet, 'amended', { type: 'amend', ref: original.item_hash }))
  const element = sign(wallet, 'AGGREGATE', { key: 'k', content: { a: 1 } })
  await node.publish(element)
  await node.publish(sign(wallet, 'AGGREGATE', { key: 'k', content: { b: 2 } }))
  expect(
    (await node.publish(sign(newWallet(), 'FORGET', { hashes: [original.item_hash] }))).body.error_code,
  ).toBe(2)
  const forget = sign(wallet, 'FORGET', { hashes: [original.item_hash, element.item_hash] })
  expect((await node.publish(forget)).status).toBe(200)

  const { body } = await node.get(`/api/v0/messages/${original.item_hash}`)
  expect(body).toMatchObject({ status: 'forgotten', forgotten_by: [forget.item_hash] })
  expect(JSON.stringify(body)).not.toContain('secret')
  expect((await node.get(`/api/v0/posts.json?addresses=${wallet.address}`)).body.posts).toEqual([])
  expect((await node.get(`/api/v0/aggregates/${wallet.address}.json`)).body.data).toEqual({ k: { b: 2 } })
  expect(await node.publish(original)).toMatchObject({ status: 410, body: { message_status: 'forgotten' } })

  expect((await node.publish(sign(wallet, 'FORGET', { hashes: [original.item_hash] }))).status).toBe(200)
  expect((await node.publish(sign(wallet, 'FORGET', { hashes: [] }))).body.error_code).toBe(500)
  expect((await node.publish(sign(wallet, 'FORGET', { hashes: [forget.item_hash] }))).body.error_code).toBe(
    502,
  )
  const all = sign(wallet, 'FORGET', { hashes: [], aggregates: ['k'] })
  expect((await node.publish(all)).status).toBe(200)
  expect((await node.get(`/api/v0/aggregates/${wallet.address}.json`)).status).toBe(404)
})

test('a message that the database cannot hold fails alone', async () => {
  const wallet = newWallet()
  const digits = '9'.repeat(140_000)
  const text = `{"address":"${wallet.address}","time":${nextTime()},"key":"n","content":{"x":${digits}}}`
  const broken = sign(wallet, 'AGGREGATE', {}, { item_content: text, item_hash: sha256(text) })
  const others = Array.from({ length: 20 }, (_, index) => post(wallet, index))
  const sent = await Promise.all([broken, ...others].map((message) => node.publish(message, false)))
  expect(sent.map((answer) => answer.status)).not.toContain(422)
  for (const other of others) {
    await expect
      .poll(async () => (await node.get(`/api/v0/messages/${other.item_hash}/status`)).body.status)
      .toBe('processed')
  }
  expect((await node.get(`/api/v0/messages/${broken.item_hash}`)).body.messages[0].error_code).toBe(-1)
})

test('lists are filtered, sorted and paged without gaps', async () => {
  const wallet = newWallet()
  const messages = Array.from({ length: 7 }, (_, index) =>
    post(wallet, { tags: index % 2 ? ['odd'] : ['even'] }, { type: `t${index}`, ref: 'r' }),
  )
  await Promise.all(messages.map((message) => node.publish(message)))
  const list = `/api/v0/messages.json?addresses=${wallet.address}`
  const times = (await node.get(`${list}&sort_order=1`)).body.messages.map(
    (message: { time: number }) => message.time,
  )
  expect(times).toEqual([...times].sort())
  expect((await node.get(`${list}&tags=odd`)).body.messages).toHaveLength(3)
  expect((await node.get(`${list}&contentTypes=t1,t2&refs=r`)).body.messages).toHaveLength(2)
  expect((await node.get(`${list}&pagination=3&page=2`)).body).toMatchObject({ pagination_total: 7 })
  expect((await node.get(`${list}&contentFormat=none`)).body.messages[0]).not.toHaveProperty('content')
  expect((await node.get(`${list}&contentFormat=headers`)).body.messages[0].content).toMatchObject({
    ref: 'r',
  })
  const seen: string[] = []
  for (let cursor: string | null = ''; cursor !== null; ) {
    const { body } = await node.get(`${list}&pagination=3&cursor=${cursor}`)
    seen.push(...body.messages.map((message: { item_hash: string }) => message.item_hash))
    cursor = body.next_cursor
  }
  expect(seen).toEqual(messages.map((message) => message.item_hash).reverse())
})

test('the feed sends the history first and then every message once', async () => {
  const wallet = newWallet()
  const before = post(wallet, 'before')
  await node.publish(before)
  const url = `${node.node.url.replace('http', 'ws')}/api/ws0/messages?addresses=${wallet.address}&history=5`
  const socket = new WebSocket(url)
  const received: string[] = []
  socket.onmessage = (event) => received.push(JSON.parse(event.data).item_hash)
  await expect.poll(() => received).toEqual([before.item_hash])
  const after = [post(wallet, 1), post(wallet, 2)]
  for (const message of after) await node.publish(message)
  await node.publish(post(newWallet(), 'somebody else'))
  await expect.poll(() => received).toEqual([before, ...after].map((message) => message.item_hash))
  socket.close()
  const refused = await fetch(`${node.node.url}/api/ws0/messages?history=1000`, {
    headers: {
      connection: 'upgrade',
      upgrade: 'websocket',
      'sec-websocket-key': 'a',
      'sec-websocket-version': '13',
    },
  }).catch(() => undefined)
  expect(refused?.status ?? 422).toBe(422)
})

test('a node tells who it is and how it does', async () => {
  expect((await node.get('/api/v0/version')).body.version).toBe(node.node.version)
  expect((await node.get('/api/v0/info/public.json')).body.node_multi_addresses).toEqual(node.node.multiaddrs)
  const { body } = await node.get('/metrics')
  expect(body).toMatch(/^pyaleph_status_sync_pending_messages_total \d+$/m)
  expect(body).toMatch(/^pyaleph_status_sync_messages_total \d+$/m)
  expect(body).toContain(`version="${node.node.version}"`)
  const watcher = new WebSocket(`${node.node.url.replace('http', 'ws')}/api/ws0/status`)
  await new Promise((resolve) => watcher.addEventListener('message', resolve, { once: true }))
  expect((await node.get('/metrics.json')).body).toMatchObject({
    pyaleph_build_info: { version: node.node.version },
    pyaleph_status_sync_pending_txs_total: 0,
    pyaleph_ws_status_connections_active: 1,
    pyaleph_ws_status_connections_rejected_total: 0,
  })
  watcher.close()
})

test('a copy that says its content is elsewhere does not keep the message itself out', async () => {
  const message = post(newWallet(), 'the genuine one')
  const { item_content: _, ...copy } = { ...message, item_type: 'storage' }
  expect((await node.publish(copy, false)).body.message_status).toBe('pending')
  await node.publish(message, false)
  await expect
    .poll(async () => (await node.get(`/api/v0/messages/${message.item_hash}`)).body)
    .toMatchObject({ status: 'processed', message: { item_content: message.item_content } })
})
