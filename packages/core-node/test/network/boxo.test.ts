import { randomBytes } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { FileDag, sha256Hex } from '@aleph-ts/protocol'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { store } from '../testing/program.ts'
import { TestNode } from '../testing/test-node.ts'
import { newWallet } from '../testing/wallet.ts'
import { BoxoPeer, boxoIsHere } from './boxo-peer.ts'

const user = newWallet()
const file = randomBytes(5_000_000)

/** Against the bitswap that Kubo has; skipped where `boxo-peer` is not on the PATH. */
describe.skipIf(!boxoIsHere)('an IPFS node that is connected', () => {
  let folder: string
  let node: TestNode
  let peer: BoxoPeer

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'aleph-boxo-'))
    node = await TestNode.start()
    await node.fund(user.address, '1000000')
    peer = await BoxoPeer.start()
    await peer.tell('connect', node.node.multiaddrs[0]!)
  })
  afterAll(async () => {
    await peer?.stop()
    await node?.[Symbol.asyncDispose]()
    await rm(folder, { recursive: true, force: true })
  })

  async function uploadTo(route: string, files: [string, Uint8Array][]): Promise<string> {
    const form = new FormData()
    for (const [name, bytes] of files) form.append('file', new Blob([bytes as Uint8Array<ArrayBuffer>]), name)
    const response = await fetch(`${node.node.url}/api/v0/ipfs/${route}`, { method: 'POST', body: form })
    expect(response.status).toBe(200)
    return ((await response.json()) as { hash: string }).hash
  }

  test('reads a file that this node has', async () => {
    const cid = await uploadTo('add_file', [['photo', file]])
    expect(await peer.tell('cat', cid)).toBe(`${file.length} ${sha256Hex(file)}`)
  })

  test('gets a file of a folder that comes to this node only after it was asked for', async () => {
    const page = randomBytes(100_000)
    const cid = new FileDag({ cidVersion: 1 }).update(page).finish().cid.toString()
    const answer = peer.tell('cat', cid)
    await uploadTo('add_directory', [['site/page', page]])
    expect(await answer).toBe(`${page.length} ${sha256Hex(page)}`)
  })

  for (const cidVersion of [0, 1] as const) {
    test(`has a file, of CID version ${cidVersion}, for whose message this node looks`, async () => {
      const bytes = randomBytes(5_000_000)
      const path = join(folder, `file${cidVersion}`)
      await writeFile(path, bytes)
      const cid = await peer.tell('add', path, String(cidVersion))
      expect(cid).toBe(new FileDag({ cidVersion }).update(bytes).finish().cid.toString())
      const answer = await node.publish(store(user, cid, { item_type: 'ipfs' }))
      expect(answer).toMatchObject({ status: 200, body: { message_status: 'processed' } })
      const response = await fetch(`${node.node.url}/ipfs/${cid}`)
      expect(Buffer.from(await response.arrayBuffer()).equals(bytes)).toBe(true)
    })
  }
})

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })
