import { concatBytes } from '@noble/hashes/utils.js'
import { describe, expect, it } from 'vitest'
import { type Cid, parseCid } from './cid.ts'
import { claimedSize } from './dag-size.ts'
import { directoryDag } from './directory-dag.ts'
import { type Block, dagPbNode, FileDag } from './file-dag.ts'
import { chunkBytes, maxLinks, otherLayouts } from './file-layout.ts'
import { listDirectory, resolvePath, walkTree } from './read-directory.ts'
import { readUnixFsFile } from './read-file.ts'
import { dagOf, links, MemoryBlocks, treeOf } from './testing/memory-blocks.ts'
import { encodeUnixFs } from './unixfs-data.ts'
import { encodeVarint } from './varint.ts'
import { verifyDag } from './verify-dag.ts'

const versions = [0, 1] as const

function noise(length: number): Uint8Array {
  const bytes = new Uint8Array(length)
  for (let at = 0, x = 1; at < length; at++) {
    x = (x * 48_271) % 2_147_483_647
    bytes[at] = x
  }
  return bytes
}

async function collect(source: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const parts: Uint8Array[] = []
  for await (const part of source) parts.push(part)
  return Buffer.concat(parts)
}

describe('a file', () => {
  const bytes = noise(3 * chunkBytes + 17)

  it.each(versions)('is read back whole from its blocks (version %i)', async (cidVersion) => {
    const blocks = new MemoryBlocks()
    const { cid, size, dagSize } = dagOf(bytes, cidVersion, blocks)
    expect((await collect(readUnixFsFile(cid, blocks.get))).equals(bytes)).toBe(true)
    expect(await verifyDag(cid, blocks.get)).toEqual({ kind: 'file', size, dagSize, blocks: 5 })
  })

  it.each(versions)('gives any range, asking only for the blocks in it (version %i)', async (cidVersion) => {
    const blocks = new MemoryBlocks()
    const { cid } = dagOf(bytes, cidVersion, blocks)
    const edges = [0, 1, chunkBytes - 1, chunkBytes, 2 * chunkBytes + 5, bytes.length - 1, bytes.length + 9]
    for (const start of edges) {
      for (const end of edges) {
        const part = await collect(readUnixFsFile(cid, blocks.get, { start, end }))
        expect(part.equals(bytes.subarray(start, end + 1))).toBe(true)
      }
    }
    let asked = 0
    const counting = (wanted: Cid) => {
      asked += 1
      return blocks.get(wanted)
    }
    await collect(readUnixFsFile(cid, counting, { start: chunkBytes, end: chunkBytes + 1 }))
    expect(asked).toBe(2)
  })

  it('of nothing has one block and no bytes', async () => {
    const blocks = new MemoryBlocks()
    const { cid } = dagOf(new Uint8Array(), 0, blocks)
    expect(await verifyDag(cid, blocks.get)).toMatchObject({ kind: 'file', size: 0, blocks: 1 })
    expect((await collect(readUnixFsFile(cid, blocks.get))).length).toBe(0)
  })

  it('has all its leaves at one depth, however many levels it takes', async () => {
    const inner: Block[] = []
    const dag = new FileDag({ cidVersion: 1, onBlock: (block) => inner.push(block), onLeaf: () => {} })
    const chunk = new Uint8Array(chunkBytes)
    for (let index = 0; index <= maxLinks; index++) dag.update(chunk)
    const { cid, size } = dag.finish()
    expect(size).toBe((maxLinks + 1) * chunkBytes)
    expect(inner.map(({ bytes }) => links(bytes).length)).toEqual([maxLinks, 1, 2])
    expect(inner.at(-1)!.cid.equals(cid)).toBe(true)
  })

  it('has the CIDs that other tools give it, whose leaves are of another kind or size', () => {
    const large = noise(3 * 1_048_576 + 5)
    const cids = versions.flatMap((cidVersion) =>
      otherLayouts(cidVersion).map((layout) =>
        new FileDag({ cidVersion, layout }).update(large).finish().cid.toString(),
      ),
    )
    // Of `ipfs-unixfs-importer`: leaves raw in version 0, wrapped in version 1, and the profile unixfs-v1-2025.
    expect(cids).toEqual([
      'QmXw7veYYhvYo2mgEjr4pg6E5gcmcsKoU4N5u7sxyGvU7Z',
      'bafybeihvzwtgzxjxuql3e4mtggp5ajkivgzxp6h2yl3s2sihfadrbyfcm4',
      'bafybeibakk7ueds345d4asik7frbfmbjhlm2ofe2cd4hrq6y5c6vkx6yhy',
    ])
    const [wrapped] = otherLayouts(1)
    const hello = new FileDag({ cidVersion: 1, layout: wrapped })
      .update(Buffer.from('hello world\n'))
      .finish()
    expect(hello.cid.toString()).toBe('bafybeicg2rebjoofv4kbyovkw7af3rpiitvnl6i7ckcywaq6xjcxnc2mby')
  })

  it('is not found whole when a block is missing', async () => {
    const blocks = new MemoryBlocks()
    const { cid } = dagOf(bytes, 1, blocks)
    const [, second] = links(blocks.get(cid)!)
    blocks.delete(second!.Hash)
    await expect(verifyDag(cid, blocks.get)).rejects.toMatchObject({ code: 'missing_block' })
    await expect(collect(readUnixFsFile(cid, blocks.get))).rejects.toMatchObject({ code: 'missing_block' })
  })
})

describe('a folder', () => {
  const files = { 'index.html': 'home', 'img/a.svg': '<svg/>', 'img/deep/b.txt': 'b', 'é 日本': 'u' }

  it.each(versions)('leads from a path to its file (version %i)', async (cidVersion) => {
    const blocks = new MemoryBlocks()
    const { cid, dagSize } = treeOf(files, cidVersion, blocks)
    for (const [path, text] of Object.entries(files)) {
      const file = await resolvePath(cid, `/${path}/`, blocks.get)
      expect((await collect(readUnixFsFile(file, blocks.get))).toString()).toBe(text)
    }
    expect(await resolvePath(cid, '', blocks.get)).toBe(cid)
    await expect(resolvePath(cid, 'img/c', blocks.get)).rejects.toMatchObject({ code: 'not_found' })
    await expect(resolvePath(cid, 'index.html/x', blocks.get)).rejects.toMatchObject({
      code: 'not_a_directory',
    })
    await expect(resolvePath(cid, 'img/../x', blocks.get)).rejects.toMatchObject({ code: 'invalid_path' })
    await expect(collect(readUnixFsFile(cid, blocks.get))).rejects.toMatchObject({ code: 'not_a_file' })
    expect(await verifyDag(cid, blocks.get)).toEqual({ kind: 'directory', size: 0, dagSize, blocks: 7 })
  })

  it('is walked from the top down', async () => {
    const blocks = new MemoryBlocks()
    const { cid } = treeOf(files, 1, blocks)
    const seen: string[] = []
    for await (const { path, kind, size } of walkTree(cid, blocks.get)) seen.push(`${kind} ${path} ${size}`)
    expect(seen).toEqual([
      'directory  0',
      'directory img 0',
      'file img/a.svg 6',
      'directory img/deep 0',
      'file img/deep/b.txt 1',
      'file index.html 4',
      'file é 日本 1',
    ])
  })

  it('with very many files is sharded, and every file is still found', async () => {
    const blocks = new MemoryBlocks()
    const names = Array.from({ length: 6500 }, (_, index) => `file-${index}.txt`)
    const many = Object.fromEntries(names.map((name) => [name, name]))
    const { cid } = treeOf(many, 1, blocks)
    expect((await verifyDag(cid, blocks.get)).kind).toBe('shard')
    const listed: string[] = []
    for await (const { name } of listDirectory(cid, blocks.get)) listed.push(name)
    expect(listed.sort()).toEqual(names.sort())
    for (const name of ['file-0.txt', 'file-6499.txt']) {
      const file = await resolvePath(cid, name, blocks.get)
      expect((await collect(readUnixFsFile(file, blocks.get))).toString()).toBe(name)
    }
    await expect(resolvePath(cid, 'file-6500.txt', blocks.get)).rejects.toMatchObject({ code: 'not_found' })
  })

  it('refuses names that would lead elsewhere', () => {
    for (const path of ['..', 'a/../b', 'a//b', '', '/', 'a\0b', 'x'.repeat(2000), 'a/'.repeat(200)]) {
      const build = () => treeOf({ [path]: 'x' }, 1, new MemoryBlocks())
      expect(build).toThrow(expect.objectContaining({ code: 'invalid_path' }))
    }
    const clash = () => treeOf({ a: 'file', 'a/b': 'below it' }, 1, new MemoryBlocks())
    expect(clash).toThrow(expect.objectContaining({ code: 'invalid_path' }))
  })
})

describe('the size of a DAG', () => {
  it('is told by its root as all its blocks tell it', async () => {
    for (const version of versions) {
      const blocks = new MemoryBlocks()
      const file = dagOf(noise(600_000), version, blocks)
      expect(claimedSize(file.cid, blocks.get(file.cid)!)).toEqual({ kind: 'file', size: 600_000 })
      const folder = treeOf({ 'a/b': 'text', c: 'more' }, version, blocks)
      const { dagSize } = await verifyDag(folder.cid, blocks.get)
      const claimed = claimedSize(folder.cid, blocks.get(folder.cid)!)
      expect(claimed).toEqual({ kind: 'directory', size: dagSize })
    }
  })
})

describe('a DAG that lies', () => {
  it('about the size of a part is refused', async () => {
    const blocks = new MemoryBlocks()
    const leaf = dagOf(noise(10), 1, blocks)
    for (const claimed of [9, 11, 2 ** 60]) {
      const root = blocks.fileNode([{ ...leaf, size: claimed }])
      await expect(verifyDag(root, blocks.get)).rejects.toMatchObject({ code: 'invalid_dag' })
    }
  })

  it('with billions of bytes in few blocks is measured without reading them all', async () => {
    const blocks = new MemoryBlocks()
    let node = { ...dagOf(noise(1000), 1, blocks) }
    for (let level = 0; level < 8; level++) {
      const cid = blocks.fileNode(Array.from({ length: 10 }, () => node))
      node = { cid, size: node.size * 10, dagSize: node.dagSize * 10 }
    }
    const summary = await verifyDag(node.cid, blocks.get)
    expect(summary).toMatchObject({ size: 1000 * 10 ** 8, blocks: 9 })
  })

  it('with billions of entries in few blocks is listed only up to a limit', async () => {
    const blocks = new MemoryBlocks()
    let node = treeOf({ file: 'x' }, 1, blocks)
    for (let level = 0; level < 9; level++) {
      const entries = Array.from({ length: 10 }, (_, index) => ({ name: `${index}`, node }))
      node = directoryDag(entries, { cidVersion: 1, onBlock: blocks.add })
    }
    expect(await verifyDag(node.cid, blocks.get)).toMatchObject({ blocks: 11 })
    const list = async () => {
      let entries = 0
      for await (const _ of walkTree(node.cid, blocks.get, { maxEntries: 5000 })) entries += 1
      return entries
    }
    await expect(list()).rejects.toMatchObject({
      code: 'too_large',
      message: expect.stringContaining('5000 entries'),
    })
  })

  it('with blocks that hold much else than the file is refused', async () => {
    const blocks = new MemoryBlocks()
    const padded = async (bytes: number) => {
      const data = concatBytes(
        encodeUnixFs({ type: 2, fileSize: 0 }),
        Uint8Array.of(0x4a, ...encodeVarint(bytes)),
      )
      const { block } = dagPbNode(concatBytes(data, new Uint8Array(bytes)), [], 1)
      blocks.add(block)
      return verifyDag(block.cid, blocks.get)
    }
    expect(await padded(1000)).toMatchObject({ kind: 'file', size: 0 })
    await expect(padded(1024 * 1024)).rejects.toMatchObject({ code: 'invalid_dag' })
  })

  it('or goes on for ever is refused at a limit', async () => {
    const blocks = new MemoryBlocks()
    let node = dagOf(noise(1), 1, blocks)
    for (let level = 0; level < 300; level++) node = { ...node, cid: blocks.fileNode([node]) }
    await expect(verifyDag(node.cid, blocks.get)).rejects.toMatchObject({ code: 'invalid_dag' })
    await expect(collect(readUnixFsFile(node.cid, blocks.get))).rejects.toMatchObject({ code: 'invalid_dag' })
    const { cid } = treeOf({ a: 'a', b: 'b' }, 1, blocks)
    await expect(verifyDag(cid, blocks.get, { maxBlocks: 2 })).rejects.toMatchObject({ code: 'too_large' })
  })
})

describe('the text of a CID', () => {
  it('is taken in its canonical form only', () => {
    const texts = [
      'QmbFMke1KXqnYyBBWxB74N4c5SBnJMVAiMNRcGu6x1AwQH',
      'bafybeiczsscdsbs7ffqz55asqdf3smv6klcw3gofszvwlyarci47bgf354',
      'bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku',
    ]
    for (const text of texts) expect(parseCid(text).toString()).toBe(text)
    const others = [
      '',
      'Qm',
      `${texts[0]}x`,
      texts[1]!.toUpperCase(),
      'zdj7WWeQ43G6JJvLWQWZpyHuAMq6uYWRjkBXFad11vE2LHhQ7',
    ]
    for (const text of others) {
      expect(() => parseCid(text), text).toThrow(expect.objectContaining({ code: 'invalid_cid' }))
    }
    const dagCbor = 'bafyreigbtj4x7ip5legnfznufuopl4sg4knzc2cof6duas4b3q2fy6swua'
    expect(() => parseCid(dagCbor)).toThrow(expect.objectContaining({ code: 'unsupported_cid' }))
  })
})
