import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { patience } from '../testing/patience.ts'
import { store } from '../testing/program.ts'
import { TestNode } from '../testing/test-node.ts'
import { newWallet } from '../testing/wallet.ts'

const user = newWallet()
/** `near` dialed `far`, which knows no other way to it than the connection: it never asks its API. */
let far: TestNode
let near: TestNode

beforeAll(async () => {
  far = await TestNode.start()
  near = await TestNode.start({
    config: { p2p: { host: '127.0.0.1', port: 0, peers: far.node.multiaddrs } },
  })
  for (const node of [far, near]) await node.fund(user.address, '1000000')
})
afterAll(async () => {
  await near?.[Symbol.asyncDispose]()
  await far?.[Symbol.asyncDispose]()
})

async function upload(route: string, files: [string, Uint8Array][]): Promise<string> {
  const form = new FormData()
  for (const [name, bytes] of files) form.append('file', new Blob([bytes as Uint8Array<ArrayBuffer>]), name)
  const response = await fetch(`${near.node.url}/api/v0/ipfs/${route}`, { method: 'POST', body: form })
  expect(response.status).toBe(200)
  return ((await response.json()) as { hash: string }).hash
}

async function arrivesAtFar(cid: string): Promise<void> {
  const message = store(user, cid, { item_type: 'ipfs' })
  expect((await near.publish(message)).body).toMatchObject({ message_status: 'processed' })
  const status = async () => (await far.get(`/api/v0/messages/${message.item_hash}/status`)).body.status
  await vi.waitFor(async () => expect(await status()).toBe('processed'), patience)
}

async function readFromFar(path: string): Promise<Buffer> {
  const response = await fetch(`${far.node.url}${path}`)
  expect(response.status).toBe(200)
  return Buffer.from(await response.arrayBuffer())
}

test('a node gets a file from one whose API it does not know, over the connection between them', async () => {
  const bytes = randomBytes(10_000_000)
  const cid = await upload('add_file', [['film', bytes]])
  await arrivesAtFar(cid)
  expect((await readFromFar(`/ipfs/${cid}`)).equals(bytes)).toBe(true)
}, 60_000)

test('… and a folder', async () => {
  const photo = randomBytes(700_000)
  const cid = await upload('add_directory', [
    ['site/index.html', Buffer.from('<h1>hello</h1>')],
    ['site/photo', photo],
  ])
  await arrivesAtFar(cid)
  expect((await readFromFar(`/ipfs/${cid}/site/photo`)).equals(photo)).toBe(true)
}, 60_000)

test('blocks are entered for every file by CID, and go with it', async () => {
  const { pool } = near.node.context
  const count = async () => Number((await pool.query('select count(*) from ipfs_blocks')).rows[0].count)
  const before = await count()
  const cid = await upload('add_file', [['film', randomBytes(1_000_000)]])
  await vi.waitFor(async () => expect(await count()).toBe(before + 5), patience)
  await pool.query('delete from file_pins where file_hash = $1', [cid])
  await pool.query('delete from files where hash = $1', [cid])
  expect(await count()).toBe(before)
})
