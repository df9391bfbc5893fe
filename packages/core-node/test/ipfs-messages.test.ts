import { randomBytes } from 'node:crypto'
import type { Envelope } from '@aleph-ts/protocol'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { GarbageCollector } from '../src/storage/garbage-collector.ts'
import { store } from './testing/program.ts'
import { TestNode } from './testing/test-node.ts'
import { newWallet, sign, type Wallet } from './testing/wallet.ts'

const maxBytes = 100 * 1024 * 1024
let node: TestNode

beforeAll(async () => {
  node = await TestNode.start()
})
afterAll(async () => {
  await node[Symbol.asyncDispose]()
})

const files = () => node.node.context.fileStore

async function folder(): Promise<{ cid: string; size: number }> {
  const site = [
    { path: 'index.html', bytes: [Buffer.from('<h1>hello</h1>')] },
    { path: 'img/photo.bin', bytes: [randomBytes(300_000)] },
  ]
  return files().addIpfsFolder(site, { cidVersion: 1, maxBytes })
}

async function file(bytes: Uint8Array | string): Promise<string> {
  return (await files().addIpfsFile([Buffer.from(bytes)], { maxBytes })).cid
}

function storeCid(wallet: Wallet, cid: string): Envelope {
  return store(wallet, cid, { item_type: 'ipfs' })
}

/** A message whose content is the file of a CID. */
function withContent(wallet: Wallet, cid: string): Envelope {
  return sign(wallet, 'POST', {}, { item_type: 'ipfs', item_content: null, item_hash: cid })
}

test('a STORE of a CID keeps the file, with the size of its bytes', async () => {
  const wallet = newWallet()
  const cid = await file(randomBytes(700_000))
  expect((await node.publish(storeCid(wallet, cid))).status).toBe(200)
  const metadata = await node.get(`/api/v0/storage/metadata/${cid}`)
  expect(metadata.body).toMatchObject({ file_hash: cid, type: 'file', size: 700_000 })
  const listed = await node.get(`/api/v0/addresses/${wallet.address}/files`)
  expect(listed.body).toMatchObject({ total_size: 700_000, files: [{ file_hash: cid, type: 'file' }] })
})

test('a STORE of a folder keeps the folder, with the size of all its blocks', async () => {
  const wallet = newWallet()
  const { cid, size } = await folder()
  const message = storeCid(wallet, cid)
  expect((await node.publish(message)).status).toBe(200)
  expect((await node.get(`/api/v0/storage/metadata/${cid}`)).body).toMatchObject({ type: 'dir', size })
  const found = await node.get(`/api/v0/storage/by-message-hash/${message.item_hash}`)
  expect(found.body).toMatchObject({ file_hash: cid, size })
})

test('a STORE of a CID is paid for by the size of what it names', async () => {
  const cid = await file(new Uint8Array(26 * 1024 * 1024))
  const refused = await node.publish(storeCid(newWallet(), cid))
  expect(refused).toMatchObject({ status: 422, body: { error_code: 5 } })
})

test('a message whose content is the file of a CID is processed from that file', async () => {
  const wallet = newWallet()
  const text = JSON.stringify({ address: wallet.address, time: 1_700_000_000, type: 'big', content: 'Grüße' })
  const message = withContent(wallet, await file(text))
  expect((await node.publish(message)).status).toBe(200)
  const { body } = await node.get(`/api/v0/messages.json?hashes=${message.item_hash}`)
  expect(body.messages[0]).toMatchObject({ item_content: null, content: { type: 'big', content: 'Grüße' } })
})

test('a folder is no content of a message', async () => {
  const refused = await node.publish(withContent(newWallet(), (await folder()).cid))
  expect(refused).toMatchObject({ status: 422, body: { error_code: 0 } })
  expect(refused.body.error).toContain('content: is a folder')
})

test('a content that says it is of the future is refused, whether it is inline or fetched', async () => {
  const wallet = newWallet()
  const content = { address: wallet.address, time: Date.now() / 1000 + 3600, type: 'x', content: 1 }
  const inline = await node.publish(sign(wallet, 'POST', content))
  const fetched = await node.publish(withContent(wallet, await file(JSON.stringify(content))))
  for (const refused of [inline, fetched]) {
    expect(refused).toMatchObject({ status: 422, body: { error_code: 0 } })
    expect(refused.body.error).toContain("ahead of this node's clock")
  }
})

test('a STORE whose CID nobody has stays pending and says so', async () => {
  const message = storeCid(newWallet(), 'QmNowhereNowhereNowhereNowhereNowhereNowhere12')
  expect((await node.publish(message, false)).body.message_status).toBe('pending')
  const found = () => node.get(`/api/v0/messages/${message.item_hash}`)
  await expect.poll(async () => (await found()).body.messages?.[0].error_code).toBe(4)
})

test('a forgotten file or folder is deleted after the grace period, others stay', async () => {
  const wallet = newWallet()
  const [kept, gone] = [await folder(), await folder()]
  const forgotten = storeCid(wallet, gone.cid)
  await node.publish(storeCid(wallet, kept.cid))
  await node.publish(forgotten)
  expect((await node.publish(sign(wallet, 'FORGET', { hashes: [forgotten.item_hash] }))).status).toBe(200)
  const collector = new GarbageCollector(node.node.context, { exclusively: (work) => work() })
  const hours = (count: number) => Date.now() + count * 3600 * 1000
  await collector.collect(hours(23))
  expect(await files().has(gone.cid)).toBe(true)
  await collector.collect(hours(25))
  expect(await files().has(gone.cid)).toBe(false)
  expect(await files().has(kept.cid)).toBe(true)
})
