import { Readable } from 'node:stream'
import { type Block, batchArchive, chunkBytes, FileDag } from '@aleph-ts/protocol'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { patience } from './testing/patience.ts'
import { confirmationsOf, filesOf, SyncChain } from './testing/sync-chain.ts'
import { TestNode } from './testing/test-node.ts'
import { newWallet, post } from './testing/wallet.ts'

const maxBytes = 16 * 1024 * 1024

let sync: SyncChain
let source: TestNode
let node: TestNode
beforeAll(async () => {
  sync = await SyncChain.start()
  source = await TestNode.start()
  node = await TestNode.start({
    profile: sync.profile,
    config: { evmRpc: { ETH: sync.chain.rpcUrl } },
    contentFetcher: filesOf(
      () => source,
      () => node,
    ),
  })
})
afterAll(async () => {
  await node?.[Symbol.asyncDispose]()
  await source?.[Symbol.asyncDispose]()
  await sync?.[Symbol.asyncDispose]()
})

function archived(text: string) {
  return source.node.context.fileStore.addIpfsFile([Buffer.from(text)], { cidVersion: 0, maxBytes })
}

async function emitArchive(content: unknown, version = 1): Promise<void> {
  await sync.emit(4, JSON.stringify({ protocol: 'aleph-offchain', version, content }))
}

async function problems(): Promise<{ problem_code: string; problem: string }[]> {
  const { rows } = await node.node.context.pool.query(
    'select problem_code, problem from contract_events where not settled order by block_number, position',
  )
  return rows.filter(({ problem_code }) => problem_code !== null)
}

describe('a batch that cannot be read', () => {
  test.each([
    { what: 'an archive that is no JSON', text: 'garbage' },
    { what: 'an archive without messages', text: '{"protocol":"aleph","version":1,"content":{}}' },
    {
      what: 'an archive of far too many messages',
      text: `{"content":{"messages":[${'0,'.repeat(100_000)}0]}}`,
    },
  ])('is put aside, with the reason: $what', async ({ text }) => {
    const before = await problems()
    await emitArchive((await archived(text)).cid)
    await expect.poll(problems, patience).toHaveLength(before.length + 1)
    expect((await problems()).at(-1)).toMatchObject({ problem_code: 'bad_batch' })
  })

  test('is put aside, with the reason: an archive of a few blocks that repeat to more bytes than are read', async () => {
    const blocks = new Map<string, Block>()
    const zeros = new Uint8Array(chunkBytes)
    const dag = new FileDag({ onBlock: (block) => blocks.set(block.cid.toString(), block) })
    for (let chunk = 0; chunk <= 1024; chunk++) dag.update(zeros)
    const root = dag.finish().cid.toString()
    const { fileStore } = node.node.context
    await fileStore.importBlocks(Readable.from(blocks.values()), { root, maxBytes })
    const before = await problems()
    await emitArchive(root)
    await expect.poll(problems, patience).toHaveLength(before.length + 1)
    expect((await problems()).at(-1)).toMatchObject({
      problem_code: 'bad_batch',
      problem: expect.stringContaining('too many to read'),
    })
  })

  test('is put aside, with the reason: no hash, and a version that nobody knows', async () => {
    const before = await problems()
    await emitArchive('../../etc/passwd')
    await emitArchive((await archived(batchArchive([post(newWallet(), 'unknown version')]))).cid, 2)
    await expect.poll(problems, patience).toHaveLength(before.length + 2)
    expect((await problems()).slice(-2)).toMatchObject([
      { problem_code: 'bad_batch', problem: expect.stringContaining('not the hash of a file') },
      { problem_code: 'bad_batch', problem: expect.stringContaining('version 2') },
    ])
  })

  test('is asked for again when nobody has it now, and read once somebody does', async () => {
    const message = post(newWallet(), 'late archive')
    const text = batchArchive([message])
    const { cid } = await archived(text)
    await source.node.context.fileStore.delete(cid)
    const before = await problems()
    await emitArchive(cid)
    await expect.poll(problems, patience).toHaveLength(before.length + 1)
    expect((await problems()).at(-1)).toMatchObject({ problem_code: 'archive_unavailable' })
    await archived(text)
    await expect.poll(() => confirmationsOf(node, message.item_hash), patience).toHaveLength(1)
    expect(await problems()).toEqual(before)
  })

  test('does not hold up the next, nor do bad messages hold up the good one beside them', async () => {
    await emitArchive((await archived('more garbage')).cid)
    const good = post(newWallet(), 'good')
    const forged = { ...post(newWallet(), 'forged'), signature: good.signature }
    const archive = JSON.parse(batchArchive([forged, good]))
    archive.content.messages.push(17, null, { item_hash: 'x' })
    await emitArchive((await archived(JSON.stringify(archive))).cid)
    await expect.poll(() => confirmationsOf(node, good.item_hash), patience).toHaveLength(1)
    expect(await confirmationsOf(node, forged.item_hash)).toEqual([])
  })

  test('may be of the time when the messages stood on the chain themselves', async () => {
    const message = post(newWallet(), 'inline')
    await sync.emit(4, batchArchive([message]))
    await expect.poll(() => confirmationsOf(node, message.item_hash), patience).toHaveLength(1)
  })
})
