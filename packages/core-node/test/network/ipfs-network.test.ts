import { randomBytes } from 'node:crypto'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { devnetProfile, FileDag, type NetworkProfile, sha256Hex } from '@aleph-ts/protocol'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { patience } from '../testing/patience.ts'
import { store } from '../testing/program.ts'
import { TestNode } from '../testing/test-node.ts'
import { newWallet, sign } from '../testing/wallet.ts'

const registrar = newWallet()
const user = newWallet()
const profile: NetworkProfile = {
  ...devnetProfile,
  addresses: { ...devnetProfile.addresses, corechannel: registrar.address },
}
const maxBytes = 1024 ** 3
const nodes: TestNode[] = []
const [near, far] = [() => nodes[0]!, () => nodes[1]!]
/** A registered core node that has other bytes for everything. */
let liar: Server

beforeAll(async () => {
  liar = createServer((_request, response) => response.end(randomBytes(1000)))
  await new Promise<void>((resolve) => liar.listen(0, '127.0.0.1', resolve))
  await startCoreNode([])
  await startCoreNode(near().node.multiaddrs)
  const urls = [
    ...nodes.map(({ node }) => node.url),
    `http://127.0.0.1:${(liar.address() as AddressInfo).port}`,
  ]
  const entries = urls.map((address, index) => ({
    hash: sha256Hex(`core ${index}`),
    owner: registrar.address,
    status: 'active',
    multiaddress: nodes[index]?.node.multiaddrs[0] ?? '',
    address,
    resource_nodes: [],
  }))
  const content = { key: 'corechannel', content: { nodes: entries, resource_nodes: [] } }
  const registry = sign(registrar, 'AGGREGATE', content)
  await near().publish(registry)
  await processedByFar(registry.item_hash)
})
afterAll(async () => {
  for (const node of nodes.splice(0)) await node[Symbol.asyncDispose]()
  liar?.close()
})

async function startCoreNode(peers: string[]): Promise<void> {
  const node = await TestNode.start({ profile, config: { p2p: { host: '127.0.0.1', port: 0, peers } } })
  nodes.push(node)
  await node.fund(user.address, '1000000')
}

async function processedByFar(itemHash: string): Promise<void> {
  const status = async () => (await far().get(`/api/v0/messages/${itemHash}/status`)).body
  await vi.waitFor(async () => expect(await status()).toMatchObject({ status: 'processed' }), patience)
}

async function upload(route: string, cid: string, files: [string, Uint8Array][]): Promise<string> {
  const message = store(user, cid, { item_type: 'ipfs' })
  const form = new FormData()
  form.append('metadata', JSON.stringify({ message, sync: true }))
  for (const [name, bytes] of files) form.append('file', new Blob([bytes as Uint8Array<ArrayBuffer>]), name)
  const response = await fetch(`${near().node.url}/api/v0/ipfs/${route}`, { method: 'POST', body: form })
  expect([response.status, await response.json()]).toMatchObject([200, { hash: cid }])
  return message.item_hash
}

async function readFromFar(path: string): Promise<Buffer> {
  const response = await fetch(`${far().node.url}${path}`)
  expect(response.status).toBe(200)
  return Buffer.from(await response.arrayBuffer())
}

function fileCid(bytes: Uint8Array): string {
  return new FileDag().update(bytes).finish().cid.toString()
}

test('a file that one node took under its CID is whole on the other, whatever a third one serves', async () => {
  for (let round = 0; round < 4; round++) {
    const bytes = randomBytes(800_000)
    const cid = fileCid(bytes)
    await processedByFar(await upload('add_file', cid, [['photo', bytes]]))
    expect((await readFromFar(`/api/v0/storage/raw/${cid}`)).equals(bytes)).toBe(true)
  }
})

test('a folder, sent file by file or as a CAR, is whole on the other node', async () => {
  const photo = randomBytes(600_000)
  const { fileStore } = near().node.context
  const files: [string, Uint8Array][] = [
    ['index.html', Buffer.from('<h1>hello</h1>')],
    ['img/photo.bin', photo],
  ]
  const folder = files.map(([path, bytes]) => ({ path, bytes: [bytes] }))
  const { cid } = await fileStore.addIpfsFolder(folder, { cidVersion: 1, maxBytes })
  await processedByFar(await upload('add_directory', cid, files))
  expect((await readFromFar(`/ipfs/${cid}/img/photo.bin`)).equals(photo)).toBe(true)

  const other = await fileStore.addIpfsFolder([{ path: 'only', bytes: [photo] }], { maxBytes })
  const parts: Uint8Array[] = []
  for await (const part of (await fileStore.exportCar(other.cid))!) parts.push(part)
  await processedByFar(await upload('add_car', other.cid, [['folder.car', Buffer.concat(parts)]]))
  expect((await readFromFar(`/ipfs/${other.cid}/only`)).equals(photo)).toBe(true)
  const metadata = await far().get(`/api/v0/storage/metadata/${other.cid}`)
  expect(metadata.body).toMatchObject({ type: 'dir', size: other.size })
})

test('a message whose content is the file of a CID is processed by the other node too', async () => {
  const content = {
    address: user.address,
    time: Date.now() / 1000,
    type: 'long',
    content: 'x'.repeat(60_000),
  }
  const answer = await near().post('/api/v0/ipfs/add_json', content)
  const unsigned = { item_type: 'ipfs', item_content: null, item_hash: answer.body.hash } as const
  const message = sign(user, 'POST', {}, unsigned)
  expect((await near().publish(message)).status).toBe(200)
  await processedByFar(message.item_hash)
})

test('a file of 64 MiB passes from one node to the other', async () => {
  const bytes = Buffer.alloc(64 * 1024 * 1024, randomBytes(1_000_003))
  const cid = fileCid(bytes)
  await processedByFar(await upload('add_file', cid, [['film', bytes]]))
  expect((await readFromFar(`/ipfs/${cid}`)).equals(bytes)).toBe(true)
})
