import { afterAll, beforeAll, expect, test } from 'vitest'
import { TestNode } from '../testing/test-node.ts'
import { newWallet, post, sign } from '../testing/wallet.ts'

let node: TestNode

beforeAll(async () => {
  node = await TestNode.start()
})

afterAll(async () => node?.[Symbol.asyncDispose]())

test('a post is found by the tags of its newest version alone', async () => {
  const wallet = newWallet()
  const original = post(wallet, { tags: ['first', 'both'] })
  const other = post(wallet, { tags: ['first'] })
  const amend = sign(wallet, 'POST', {
    type: 'amend',
    ref: original.item_hash,
    content: { tags: ['second', 'both'] },
  })
  for (const message of [original, other, amend]) expect((await node.publish(message)).status).toBe(200)
  const found = async (tags: string) => {
    const { body } = await node.get(`/api/v1/posts.json?tags=${tags}`)
    return body.posts.map((each: { original_item_hash: string }) => each.original_item_hash)
  }
  expect(await found('second')).toEqual([original.item_hash])
  expect(await found('both')).toEqual([original.item_hash])
  expect(await found('first')).toEqual([other.item_hash])
  expect(await found('first,second')).toEqual([original.item_hash, other.item_hash])
  expect(await found('none')).toEqual([])
  await node.publish(sign(wallet, 'FORGET', { hashes: [amend.item_hash], reason: '' }))
  expect(await found('second')).toEqual([])
  expect(await found('first')).toEqual([other.item_hash, original.item_hash])
})

test('messages are counted by sender, and no more once they are forgotten', async () => {
  const wallet = newWallet()
  const note = post(wallet, 'one')
  for (const message of [note, post(wallet, 'two')]) await node.publish(message)
  const counts = async () =>
    (await node.get(`/api/v0/addresses/stats.json?addresses[]=${wallet.address}`)).body.data[wallet.address]
  expect(await counts()).toMatchObject({ messages: 2, post: 2, forget: 0 })
  await node.publish(sign(wallet, 'FORGET', { hashes: [note.item_hash], reason: '' }))
  expect(await counts()).toMatchObject({ messages: 2, post: 1, forget: 1 })
  const { body } = await node.get(`/api/v1/addresses/stats.json?addressContains=${wallet.address}`)
  expect(Object.keys(body.data)).toEqual([wallet.address])
})

test('a message that goes for want of payment says so', async () => {
  const message = post(newWallet(), 'unpaid')
  await node.publish(message)
  const { pool } = node.node.context
  await pool.query(`update messages set status = 'removing', payment_type = 'credit' where item_hash = $1`, [
    message.item_hash,
  ])
  const { body } = await node.get(`/api/v0/messages/${message.item_hash}`)
  expect(body).toMatchObject({
    status: 'removing',
    reason: 'credit_insufficient',
    message: { sender: message.sender },
  })
  const list = await node.get('/api/v0/messages.json?msgStatuses=removing&msgTypes=POST&pagination=1')
  expect(list.body.pagination_total).toBe(1)
})

test('totals of short lists are exact at once', async () => {
  const wallet = newWallet()
  for (let count = 1; count <= 3; count++) {
    await node.publish(post(wallet, count))
    const { body } = await node.get(`/api/v0/messages.json?addresses=${wallet.address}&pagination=1`)
    expect(body.pagination_total).toBe(count)
    expect(body).not.toHaveProperty('pagination_total_is_estimate')
  }
})

test('an instance is priced whatever media type its JSON has, and what is not JSON is refused as such', async () => {
  const send = async (body: string, type: string) => {
    const url = `${node.node.url}/api/v0/price/estimate/instance`
    const response = await fetch(url, { method: 'POST', headers: { 'content-type': type }, body })
    return { status: response.status, body: (await response.json()) as Record<string, unknown> }
  }
  const parent = { ref: 'a'.repeat(64), use_latest: false }
  const instance = JSON.stringify({
    address: newWallet().address,
    environment: {},
    resources: { vcpus: 1, memory: 2048 },
    rootfs: { parent, persistence: 'host', size_mib: 20_480 },
    volumes: [],
  })
  for (const type of ['application/json', 'text/plain']) {
    expect(await send(instance, type)).toMatchObject({ status: 200, body: { payment_type: 'hold' } })
    expect(await send('nonsense', type)).toMatchObject({ status: 400 })
    expect(await send('"text"', type)).toMatchObject({ status: 422 })
  }
})

test('the list of programs that wait for messages knows one parameter, and says so', async () => {
  expect(await node.get('/api/v0/programs/on/message?sort_order=1')).toMatchObject({ status: 200, body: [] })
  expect(await node.get('/api/v0/programs/on/message?page=1')).toMatchObject({
    status: 400,
    body: { code: 'unknown_parameter', path: 'query.page' },
  })
})

test('fetches of files are counted by how the file is named', async () => {
  const metrics = async () => (await node.get('/metrics.json')).body
  const before = await metrics()
  const missing = sign(newWallet(), 'STORE', { item_type: 'storage', item_hash: 'e'.repeat(64) })
  await node.publish(missing, false)
  await expect
    .poll(async () => (await metrics()).pyaleph_store_fetch_storage_failed_total)
    .toBeGreaterThan(before.pyaleph_store_fetch_storage_failed_total)
  expect(await metrics()).toMatchObject({
    pyaleph_store_fetch_ipfs_total: 0,
    pyaleph_store_fetch_ipfs_duration_ms_sum: 0,
    pyaleph_store_fetch_storage_total: expect.any(Number),
  })
})
