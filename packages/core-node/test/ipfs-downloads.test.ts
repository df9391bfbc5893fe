import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { unpackTar } from 'modern-tar'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { recordUpload } from '../src/state/files.ts'
import { FileStore } from '../src/storage/file-store.ts'
import { TestNode } from './testing/test-node.ts'

const maxBytes = 10_000_000
const photo = randomBytes(600_000)
const longName = `${'long/'.repeat(40)}größe.txt`
let node: TestNode
/** A folder with a page and files of several types. */
let site: string
/** A file. */
let plain: string
/** A folder without a page. */
let bare: string

beforeAll(async () => {
  node = await TestNode.start()
  site = await keep({
    'index.html': '<h1>hello</h1>',
    'style.css': 'h1 { color: red }',
    'img/photo.bin': photo,
    'docs/index.html': '<h1>docs</h1>',
    [longName]: 'deep',
  })
  bare = await keep({ 'data.json': '{}' })
  const { context } = node.node
  const { cid, size } = await context.fileStore.addIpfsFile([photo], { maxBytes })
  await recordUpload(context.pool, { hash: cid, size })
  plain = cid
})
afterAll(async () => {
  await node[Symbol.asyncDispose]()
})

async function keep(files: Record<string, string | Uint8Array>): Promise<string> {
  const { fileStore, pool } = node.node.context
  const entries = Object.entries(files).map(([path, content]) => ({ path, bytes: [Buffer.from(content)] }))
  const dag = await fileStore.addIpfsFolder(entries, { cidVersion: 1, maxBytes })
  await recordUpload(pool, { ...dag, hash: dag.cid })
  return dag.cid
}

const get = (path: string, init?: RequestInit) => fetch(`${node.node.url}${path}`, init)
const bytesOf = async (response: Response) => Buffer.from(await response.arrayBuffer())

test('a file of a CID is downloaded whole, in part, or only looked at', async () => {
  for (const path of [`/api/v0/storage/raw/${plain}`, `/ipfs/${plain}`, `/ipfs/${site}/img/photo.bin`]) {
    const whole = await get(path)
    expect((await bytesOf(whole)).equals(photo), path).toBe(true)
    expect(whole.headers.get('content-length')).toBe('600000')
    const part = await get(path, { headers: { range: 'bytes=262000-262999' } })
    expect([part.status, part.headers.get('content-range')]).toEqual([206, 'bytes 262000-262999/600000'])
    expect((await bytesOf(part)).equals(photo.subarray(262_000, 263_000)), path).toBe(true)
    const head = await get(path, { method: 'HEAD' })
    expect([head.status, head.headers.get('content-length')]).toEqual([200, '600000'])
    const again = await get(path, { headers: { 'if-none-match': whole.headers.get('etag')! } })
    expect(again.status).toBe(304)
    expect((await get(path, { headers: { range: 'bytes=700000-' } })).status).toBe(416)
  }
})

test('a file of a CID comes as base64 too, a folder does not', async () => {
  const { body } = await node.get(`/api/v0/storage/${plain}`)
  expect(body).toMatchObject({ status: 'success', engine: 'ipfs', hash: plain })
  expect(Buffer.from(body.content, 'base64').equals(photo)).toBe(true)
  expect((await node.get(`/api/v0/storage/${site}`)).status).toBe(400)
})

test('files of a folder have the type that their name says, and run in a sandbox', async () => {
  const types = { 'style.css': 'text/css; charset=utf-8', 'img/photo.bin': 'application/octet-stream' }
  for (const [path, type] of Object.entries(types)) {
    expect((await get(`/ipfs/${site}/${path}`)).headers.get('content-type')).toBe(type)
  }
  const page = await get(`/ipfs/${site}/index.html`)
  const policy = page.headers.get('content-security-policy')
  expect(policy).toMatch(/^sandbox /)
  expect(policy).not.toContain('allow-same-origin')
  expect(await (await get(`/ipfs/${site}/${encodeURI(longName)}`)).text()).toBe('deep')
})

test('a folder is its index page, at a path that links can start from', async () => {
  const moved = await get(`/ipfs/${site}?a=b`, { redirect: 'manual' })
  expect([moved.status, moved.headers.get('location')]).toEqual([301, `/ipfs/${site}/?a=b`])
  expect(await (await get(`/ipfs/${site}`)).text()).toBe('<h1>hello</h1>')
  expect(await (await get(`/ipfs/${site}/docs`)).text()).toBe('<h1>docs</h1>')
  const without = await get(`/ipfs/${bare}/`)
  expect(without.status).toBe(404)
  expect(await without.json()).toMatchObject({ code: 'no_index_page' })
})

test('a folder is downloaded as a tar archive of everything in it', async () => {
  for (const path of [`/api/v0/storage/raw/${site}`, `/ipfs/${site}?format=tar`]) {
    const response = await get(path)
    expect(response.headers.get('content-type')).toBe('application/x-tar')
    const entries = await unpackTar(response.body!)
    const found = new Map(entries.map(({ header, data }) => [header.name, data]))
    expect(Buffer.from(found.get(`${site}/img/photo.bin`)!).equals(photo)).toBe(true)
    expect(Buffer.from(found.get(`${site}/${longName}`)!).toString()).toBe('deep')
    const head = await get(path, { method: 'HEAD' })
    expect([head.status, head.headers.get('content-length')]).toEqual([200, null])
  }
})

test('what a CID names is had as a CAR that anybody can verify', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'aleph-gateway-'))
  try {
    const other = await FileStore.create(folder)
    for (const cid of [site, plain]) {
      const byQuery = await get(`/ipfs/${cid}?format=car`)
      expect(byQuery.headers.get('content-type')).toContain('application/vnd.ipld.car')
      const car = Readable.fromWeb(byQuery.body as never)
      expect(await other.importCar(car, { maxBytes, expectedRoot: cid })).toMatchObject({ cid })
      const byHeader = await get(`/ipfs/${cid}`, { headers: { accept: 'application/vnd.ipld.car' } })
      expect(byHeader.headers.get('content-type')).toContain('application/vnd.ipld.car')
      await byHeader.body!.cancel()
    }
    expect((await get(`/ipfs/${site}/img?format=car`)).status).toBe(400)
  } finally {
    await rm(folder, { recursive: true })
  }
})

test('what is not there, or no path, is refused plainly', async () => {
  const answers: [string, number][] = [
    [`/ipfs/${site}/nothing`, 404],
    [`/ipfs/${site}/index.html/x`, 404],
    [`/ipfs/${plain}/x`, 404],
    [`/ipfs/${site}/a//b`, 400],
    [`/ipfs/${site}/..%2F..%2Foperator.key`, 400],
    ['/ipfs/QmNowhereNowhereNowhereNowhereNowhereNowhere12', 404],
    ['/ipfs/Qm', 400],
    [`/ipfs/${site}?format=zip`, 422],
  ]
  for (const [path, status] of answers) {
    const response = await get(path)
    expect([path, response.status]).toEqual([path, status])
    expect(await response.json()).toHaveProperty('code')
  }
})

test('what is in the store but not known to the state is not served', async () => {
  const { cid } = await node.node.context.fileStore.addIpfsFile(['private'].map(Buffer.from), { maxBytes })
  expect((await get(`/ipfs/${cid}`)).status).toBe(404)
  expect((await get(`/api/v0/storage/raw/${cid}`)).status).toBe(404)
})

test('limits tell what may be uploaded', async () => {
  const { body } = await node.get('/api/v0/storage/limits.json')
  expect(body.ipfs).toMatchObject({ max_upload_file_size: 1024 ** 3, max_upload_car_size: 4 * 1024 ** 3 })
})
