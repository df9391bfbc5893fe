import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { type IncomingMessage, request } from 'node:http'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { FileDag, sha256Hex } from '@aleph-ts/protocol'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { testAccount } from '../../src/testing/fake-core-node.ts'
import { writeZip } from '../../src/testing/zip-writer.ts'
import { ext4Image } from './disk-images.ts'
import { squashfs, TestNode } from './test-node.ts'

let node: TestNode

const ok = (_request: unknown, response: { end(text: string): void }) => void response.end('ok')

beforeAll(async () => {
  node = await TestNode.start()
})
afterAll(async () => {
  await node[Symbol.asyncDispose]()
})

test('an unknown message is a 404', async () => {
  expect(await node.refusal('ab'.repeat(32))).toMatchObject({ status: 404, code: 'message_not_found' })
})

test('a message of another type is a 400', async () => {
  const hash = node.core.store(Buffer.from('just a file'))
  expect(await node.refusal(hash)).toMatchObject({ status: 400, code: 'not_a_program' })
})

test.each([
  ['pending', 503, 'message_pending'],
  ['rejected', 422, 'message_rejected'],
  ['forgotten', 410, 'message_gone'],
])('a %s message is a %i', async (status, http, code) => {
  const hash = await node.deploy(ok)
  node.core.messages.get(hash)!.status = status
  expect(await node.refusal(hash)).toMatchObject({ status: http, code })
})

test('a message whose signature is not its sender’s is not believed', async () => {
  const hash = await node.deploy(ok)
  const entry = node.core.messages.get(hash)!
  entry.message = { ...entry.message, sender: testAccount().address }
  expect(await node.refusal(hash)).toMatchObject({ status: 502, code: 'message_invalid' })
})

test('a message with other content than its hash says is not believed', async () => {
  const hash = await node.deploy(ok)
  const entry = node.core.messages.get(hash)!
  entry.message = { ...entry.message, item_content: '{"address":"0x0"}' }
  expect(await node.refusal(hash)).toMatchObject({ status: 502, code: 'message_invalid' })
})

test('files of IPFS are fetched by their CID, and believed by it alone', async () => {
  const onIpfs = (bytes: Buffer, served = bytes) => {
    const cid = new FileDag({ cidVersion: 0 }).update(bytes).finish().cid.toString()
    node.core.files.set(cid, served)
    return node.core.store(bytes, { item_type: 'ipfs', item_hash: cid })
  }
  const code = (words: string) => writeZip([{ name: 'main.ts', content: words }])
  const hash = await node.deploy(ok, { code: onIpfs(code('one')) })
  expect((await node.call(hash)).status).toBe(200)
  const deceived = await node.deploy(ok, { code: onIpfs(code('two'), code('three')) })
  expect(await node.refusal(deceived)).toMatchObject({ status: 502, code: 'content_mismatch' })
})

test('a message whose content is on IPFS is believed by its CID', async () => {
  const file = writeZip([{ name: 'main.ts', content: 'four' }])
  const code = node.core.publishOnIpfs('STORE', { item_type: 'storage', item_hash: sha256Hex(file) })
  node.core.files.set(sha256Hex(file), file)
  expect((await node.call(await node.deploy(ok, { code }))).status).toBe(200)
  const forged = node.core.publishOnIpfs('STORE', { item_type: 'storage', item_hash: sha256Hex('five') })
  node.core.files.set(forged, Buffer.from('{}'))
  expect(await node.refusal(await node.deploy(ok, { code: forged }))).toMatchObject({
    code: 'message_invalid',
  })
})

test('what the node cannot do yet is said, not silently left out', async () => {
  const volumes = [{ mount: '/data', persistence: 'store', name: 'data', size_mib: 5 }]
  const hash = await node.deploy(ok, { extra: { volumes } })
  expect(await node.refusal(hash)).toMatchObject({ status: 501, code: 'unsupported' })
})

test.each<[string, object[]]>([
  ['over the root', [{ mount: '/', ephemeral: true, size_mib: 5 }]],
  ['over what the guest needs', [{ mount: '/usr', ephemeral: true, size_mib: 5 }]],
  ['outside by dots', [{ mount: '/mnt/../proc', ephemeral: true, size_mib: 5 }]],
  [
    'of one name twice',
    [
      { mount: '/a', name: 'data', size_mib: 5, persistence: 'host' },
      { mount: '/b', name: 'data', size_mib: 5, persistence: 'host' },
    ],
  ],
])('a volume %s is refused', async (_where, volumes) => {
  const hash = await node.deploy(ok, { extra: { volumes } })
  expect(await node.refusal(hash)).toMatchObject({ status: 422, code: 'invalid_program' })
})

const withParent = (image: Buffer, sizeMiB: number) => {
  const parent = { ref: node.core.store(image), use_latest: false }
  const volumes = [{ mount: '/data', name: 'data', size_mib: sizeMiB, persistence: 'host', parent }]
  return node.deploy(ok, { extra: { volumes } })
}

test('a volume with a parent is a copy of it, grown by the guest', async () => {
  const hash = await withParent(await ext4Image({ note: 'hello' }, 4, 'qcow2'), 8)
  expect((await node.call(hash)).status).toBe(200)
  expect(node.machines.get(hash)?.mounts).toEqual(['volume0:/data:ext4:grow'])
  const disk = await readFile(join(node.dataDir, 'volumes', hash, 'data.ext4'))
  expect([disk.length, disk.includes('hello')]).toEqual([8 * 1024 * 1024, true])
})

test('a volume whose parent does not fit or suit it is refused with the reason', async () => {
  const image = await ext4Image({}, 4)
  expect(await node.refusal(await withParent(image, 3))).toMatchObject({
    code: 'invalid_program',
    error: expect.stringContaining('its parent needs at least 4'),
  })
  expect(await node.refusal(await withParent(Buffer.alloc(1024 * 1024), 8))).toMatchObject({
    code: 'broken_archive',
    error: expect.stringContaining('holds no ext4 file system'),
  })
  const overlay = await ext4Image({}, 4, 'qcow2')
  overlay.writeBigUInt64BE(512n, 8)
  expect(await node.refusal(await withParent(overlay, 8))).toMatchObject({
    code: 'broken_archive',
    error: expect.stringContaining('names a backing file'),
  })
})

test('volumes are mounted as the message says, with the defaults of the network', async () => {
  const published = node.core.store(await squashfs({ 'model.bin': 'weights' }))
  const volumes = [
    { ref: published, use_latest: false, mount: '/opt/packages' },
    { ephemeral: true, size_mib: 5 },
    { name: 'my data', persistence: 'host', size_mib: 8 },
  ]
  const hash = await node.deploy(ok, { extra: { volumes } })
  await node.call(hash)
  expect(node.machines.get(hash)?.mounts).toEqual([
    'volume0:/opt/packages:squashfs:ro',
    'tmpfs:/mnt/unamed_volume_1:tmpfs:5',
    'volume2:/mnt/my_data:ext4:rw',
  ])
})

test('a program asks its node for a cache of its own', async () => {
  const [one, two] = [await node.deploy(ok), await node.deploy(ok)]
  await Promise.all([node.call(one), node.call(two)])
  const ask = async (hash: string, method: string, path: string, body?: string) => {
    const createConnection = () => node.hypervisor.openApi(hash)
    const outgoing = request({ createConnection, method, path, host: 'localhost' })
    outgoing.end(body)
    const [answer] = (await once(outgoing, 'response')) as [IncomingMessage]
    return [answer.statusCode, await text(answer)]
  }
  expect(await ask(one, 'PUT', '/cache/a', '42')).toEqual([200, 'true'])
  expect(await ask(one, 'GET', '/cache/a')).toEqual([200, '42'])
  expect(await ask(two, 'GET', '/cache/a')).toEqual([404, 'No such key in cache'])
  expect(await ask(one, 'GET', '/cache/?pattern=*')).toEqual([200, '["a"]'])
  expect(await ask(one, 'DELETE', '/cache/a')).toEqual([200, '1'])
  expect(await ask(one, 'PUT', '/cache/not-a-key', '1')).toEqual([400, 'Invalid key'])
  expect(await ask(one, 'PUT', '/cache/big', 'x'.repeat(2 * 1024 * 1024))).toEqual([413, expect.any(String)])
  const message = { type: 'POST', item_type: 'inline', item_hash: 'ab'.repeat(32) }
  const own = JSON.stringify({ ...message, item_content: JSON.stringify({ address: one }) })
  const [status, signed] = await ask(one, 'POST', '/sign', own)
  const [, properties] = await ask(one, 'GET', '/properties')
  const { address, public_key } = JSON.parse(String(properties))
  expect(public_key).toMatch(/^0x[0-9a-f]{128}$/)
  expect([status, JSON.parse(String(signed))]).toEqual([
    200,
    expect.objectContaining({ sender: address, signature: expect.stringMatching(/^0x[0-9a-f]{130}$/) }),
  ])
  expect((await ask(two, 'POST', '/sign', own))[0]).toBe(400)
  const path = `/api/v0/messages/${one}`
  expect(JSON.parse(String((await ask(one, 'GET', path))[1]))).toMatchObject({ status: 'processed' })
})

test('a variable that is no variable name is refused', async () => {
  const hash = await node.deploy(ok, { variables: { 'LD PRELOAD=x': '1' } })
  expect(await node.refusal(hash)).toMatchObject({ status: 422, code: 'invalid_program' })
})
