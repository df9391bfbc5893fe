import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { FileDag, itemHash } from '@aleph-ts/protocol'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { FileStore } from '../src/storage/file-store.ts'
import { store } from './testing/program.ts'
import { type Answer, TestNode } from './testing/test-node.ts'
import { newWallet, sign, type Wallet } from './testing/wallet.ts'

const maxBytes = 100 * 1024 * 1024
const site = {
  'index.html': '<h1>hello</h1>',
  'img/größe.svg': '<svg/>',
  'img/deep/photo.bin': randomBytes(400_000),
}
let node: TestNode
let folder: string
/** Another node's files: makes CARs and says which CIDs to expect. */
let elsewhere: FileStore

beforeAll(async () => {
  node = await TestNode.start()
  folder = await mkdtemp(join(tmpdir(), 'aleph-cars-'))
  elsewhere = await FileStore.create(folder)
})
afterAll(async () => {
  await node[Symbol.asyncDispose]()
  await rm(folder, { recursive: true })
})

const storeCid = (wallet: Wallet, cid: string) => store(wallet, cid, { item_type: 'ipfs' })

function fileCid(bytes: Uint8Array, cidVersion: 0 | 1 = 0): string {
  return new FileDag({ cidVersion }).update(bytes).finish().cid.toString()
}

async function folderCid(files: Record<string, string | Uint8Array>, cidVersion: 0 | 1 = 1): Promise<string> {
  const entries = Object.entries(files).map(([path, content]) => ({ path, bytes: [Buffer.from(content)] }))
  return (await elsewhere.addIpfsFolder(entries, { cidVersion, maxBytes })).cid
}

async function carOf(cid: string): Promise<Uint8Array<ArrayBuffer>> {
  const parts: Uint8Array[] = []
  for await (const part of (await elsewhere.exportCar(cid))!) parts.push(part)
  return Uint8Array.from(Buffer.concat(parts))
}

interface Form {
  message?: unknown
  metadata?: string
  files?: [name: string, content: string | Uint8Array][]
  filesFirst?: boolean
}

async function send(route: string, { message, metadata, files = [], filesFirst }: Form): Promise<Answer> {
  const form = new FormData()
  const addMetadata = () => {
    if (message) form.append('metadata', JSON.stringify({ message, sync: true }))
    if (metadata) form.append('metadata', metadata)
  }
  if (!filesFirst) addMetadata()
  for (const [name, content] of files) form.append('file', new Blob([content as string]), name)
  if (filesFirst) addMetadata()
  const response = await fetch(`${node.node.url}/api/v0/ipfs/${route}`, { method: 'POST', body: form })
  return { status: response.status, body: await response.json() }
}

test('a file is uploaded under the CID that Kubo gives it', async () => {
  const answer = await send('add_file', { files: [['hello.txt', 'hello world\n']] })
  expect(answer).toMatchObject({ status: 200, body: { status: 'success', name: 'hello.txt', size: 12 } })
  expect(answer.body.hash).toBe('QmT78zSuBmuS4z925WZfrqQ1qHaJ56DQaTfyMUF7F8ff5o')
  const raw = await fetch(`${node.node.url}/api/v0/storage/raw/${answer.body.hash}`)
  expect(await raw.text()).toBe('hello world\n')
})

test('a file comes with its signed message, before or after it', async () => {
  const bytes = randomBytes(700_000)
  for (const filesFirst of [false, true]) {
    const message = storeCid(newWallet(), fileCid(bytes))
    const answer = await send('add_file', { message, files: [['photo', bytes]], filesFirst })
    expect(answer).toMatchObject({ status: 200, body: { hash: fileCid(bytes), message_status: 'processed' } })
  }
  const newer = storeCid(newWallet(), fileCid(bytes, 1))
  const answer = await send('add_file', { message: newer, files: [['photo', bytes]] })
  expect(answer).toMatchObject({ status: 200, body: { hash: fileCid(bytes, 1) } })
})

test('JSON is uploaded with its keys sorted', async () => {
  const json = await node.post('/api/v0/ipfs/add_json', { last_name: 'Son', 'first name': 'Jay' })
  const text = '{"first name":"Jay","last_name":"Son"}'
  expect(json).toMatchObject({ status: 200, body: { status: 'success', hash: fileCid(Buffer.from(text)) } })
})

test('a folder is uploaded file by file, and is found under one CID', async () => {
  const cid = await folderCid(site)
  const files = Object.entries(site)
  const message = storeCid(newWallet(), cid)
  const answer = await send('add_directory', { message, files })
  expect(answer).toMatchObject({ status: 200, body: { hash: cid, message_status: 'processed' } })
  expect((await node.get(`/api/v0/storage/metadata/${cid}`)).body).toMatchObject({
    type: 'dir',
    size: answer.body.size,
  })
  const unsigned = await send('add_directory', { files: [['a/b', 'c']] })
  expect(unsigned).toMatchObject({ status: 200, body: { hash: await folderCid({ 'a/b': 'c' }) } })
  const older = await folderCid(site, 0)
  expect(await send('add_directory', { message: storeCid(newWallet(), older), files })).toMatchObject({
    status: 200,
    body: { hash: older },
  })
})

test('a folder is uploaded as a CAR', async () => {
  const cid = await folderCid({ ...site, more: randomBytes(1_000_000) })
  for (const filesFirst of [false, true]) {
    const message = storeCid(newWallet(), cid)
    const answer = await send('add_car', { message, files: [['site.car', await carOf(cid)]], filesFirst })
    expect(answer).toMatchObject({ status: 200, body: { hash: cid, message_status: 'processed' } })
    expect(answer.body.size).toBeGreaterThan(1_400_000)
  }
})

test('CARs that are not what their message says are refused', async () => {
  const [cid, other] = [await folderCid(site), await folderCid({ other: 'folder' })]
  const car = await carOf(cid)
  const refused = async (form: Form) => {
    const { status, body } = await send('add_car', form)
    expect(status).toBe(422)
    return body.error
  }
  const files: Form['files'] = [['site.car', car]]
  const message = storeCid(newWallet(), other)
  expect(await refused({ files })).toContain('metadata is required for CAR upload')
  for (const filesFirst of [false, true]) {
    const complaint = await refused({ files, message, filesFirst })
    expect(complaint).toContain(`Root CID does not match (${cid} != ${other})`)
  }
  const broken: Form['files'] = [['site.car', car.map((byte, at) => (at === 500 ? byte ^ 1 : byte))]]
  expect(await refused({ files: broken, message: storeCid(newWallet(), cid) })).toContain(
    'Invalid CAR file: ',
  )
  const half: Form['files'] = [['site.car', car.subarray(0, 1000)]]
  expect(await refused({ files: half, message: storeCid(newWallet(), cid) })).toContain('Invalid CAR file: ')
})

test('uploads that do not fit their message, or nobody pays for, are refused', async () => {
  const wallet = newWallet()
  const files: Form['files'] = [['f', 'right']]
  const cid = fileCid(Buffer.from('right'))
  const message = storeCid(wallet, cid)
  const mismatch = await send('add_file', { message, files: [['f', 'wrong']] })
  expect(mismatch).toMatchObject({ status: 422 })
  expect(mismatch.body.error).toContain('File hash does not match')
  expect((await send('add_file', { message: { ...message, signature: null }, files })).status).toBe(403)
  const post = sign(wallet, 'POST', { type: 'x', content: 1 })
  expect((await send('add_file', { message: post, files })).body.error).toContain('Could not decode metadata')
  const native = store(wallet, itemHash('right'))
  expect((await send('add_file', { message: native, files })).body.error).toContain('Expected item_type=ipfs')
  expect((await send('add_file', { message })).body.error).toContain("Missing 'file' in multipart form.")
  const tooLong = await send('add_file', { metadata: 'x'.repeat(2 * 1024 * 1024), files })
  expect(tooLong.status).toBeGreaterThanOrEqual(400)
  expect(tooLong.status).toBeLessThan(500)
  const large = new Uint8Array(26 * 1024 * 1024)
  expect((await send('add_file', { files: [['f', large]] })).status).toBe(413)
  const unpaid = await send('add_file', { message: storeCid(wallet, fileCid(large)), files: [['f', large]] })
  expect(unpaid).toMatchObject({ status: 402, body: { error_code: 5 } })
  expect((await node.post('/api/v0/ipfs/add_file', { no: 'form' })).status).toBe(400)
})

test('a folder cannot hold what leads out of it', async () => {
  for (const path of ['../../etc/passwd', 'a//b', '']) {
    expect((await send('add_directory', { files: [[path, 'x']] })).status).toBe(422)
  }
  const twice = await send('add_directory', {
    files: [
      ['a', '1'],
      ['a/b', '2'],
    ],
  })
  expect(twice).toMatchObject({ status: 422, body: { code: 'invalid_path' } })
})
