import { encode } from '@ipld/dag-pb'
import { concatBytes, hexToBytes } from '@noble/hashes/utils.js'
import { createSha256 } from '../hash/sha256.ts'
import { type Cid, type CidVersion, cidOf, cidOfDigest, dagPbCodec, rawCodec } from './cid.ts'
import { type FileLayout, usualLayout } from './file-layout.ts'
import { encodeUnixFs, unixFsTypes } from './unixfs-data.ts'
import { encodeVarint } from './varint.ts'

const nothing = new Uint8Array()

export interface Block {
  cid: Cid
  bytes: Uint8Array
}

/** The block that holds one chunk of a file, in pieces, so that the chunk is not copied. */
export interface FileLeaf {
  cid: Cid
  /** What stands before and behind the chunk in the block. */
  before: Uint8Array
  chunk: Uint8Array
  after: Uint8Array
}

/** A node of a DAG that was built, as its parent needs to know it. */
export interface BuiltNode {
  cid: Cid
  /** Bytes of the file (0 for directories). */
  size: number
  /** Bytes of this block and of all below it, counted once per link: what a parent says as `Tsize`. */
  dagSize: number
}

export interface FileDagOptions {
  /** @default 0 */
  cidVersion?: CidVersion
  /** @default Kubo's for the version */
  layout?: FileLayout
  /** Takes every block as it is made, children before parents. */
  onBlock?: (block: Block) => void
  /** Takes the leaves, instead of `onBlock`. Their chunks are good until the next `update`. */
  onLeaf?: (leaf: FileLeaf) => void
}

/**
 * The CID of a stream of bytes as Kubo's `add` gives it (protocol 01 §2.3): feed it chunks of any size, then
 * `finish()`. It holds one leaf and the links of the open nodes, never the file.
 *
 * @example
 * const dag = new FileDag({ cidVersion: 1 })
 * for await (const chunk of stream) dag.update(chunk)
 * const { cid, size } = dag.finish()
 */
export class FileDag {
  readonly #version: CidVersion
  readonly #layout: FileLayout
  readonly #onBlock: FileDagOptions['onBlock']
  readonly #onLeaf: FileDagOptions['onLeaf']
  /** Nodes whose parent is not full yet, leaves first. */
  readonly #levels: BuiltNode[][] = [[]]
  readonly #chunk: Uint8Array
  #filled = 0
  #leaves = 0

  constructor({ cidVersion = 0, layout = usualLayout(cidVersion), onBlock, onLeaf }: FileDagOptions = {}) {
    this.#version = cidVersion
    this.#layout = layout
    this.#chunk = new Uint8Array(layout.chunkBytes)
    this.#onBlock = onBlock
    this.#onLeaf = onLeaf
  }

  update(bytes: Uint8Array): this {
    const { chunkBytes } = this.#layout
    for (let at = 0; at < bytes.length; ) {
      if (this.#filled === 0 && bytes.length - at >= chunkBytes) {
        this.#endLeaf(bytes.subarray(at, at + chunkBytes))
        at += chunkBytes
        continue
      }
      const part = bytes.subarray(at, at + chunkBytes - this.#filled)
      this.#chunk.set(part, this.#filled)
      this.#filled += part.length
      at += part.length
      if (this.#filled === chunkBytes) this.#endLeaf(this.#chunk)
    }
    return this
  }

  /** The root. Call it once, after all bytes. */
  finish(): BuiltNode {
    if (this.#filled > 0 || this.#leaves === 0) this.#endLeaf(this.#chunk.subarray(0, this.#filled))
    for (let level = 0; ; level++) {
      const nodes = this.#levels[level]!
      const isTop = level === this.#levels.length - 1
      if (isTop && nodes.length === 1) return nodes[0]!
      if (nodes.length > 0) this.#endNode(level)
    }
  }

  #endLeaf(chunk: Uint8Array): void {
    const leaf = fileLeaf(chunk, this.#version, this.#layout.rawLeaves)
    const { cid, before, after } = leaf
    this.#filled = 0
    this.#leaves += 1
    if (this.#onLeaf) this.#onLeaf(leaf)
    else this.#onBlock?.({ cid, bytes: leafBytes(leaf) })
    this.#add(0, { cid, size: chunk.length, dagSize: before.length + chunk.length + after.length })
  }

  #add(level: number, node: BuiltNode): void {
    this.#levels[level] ??= []
    if (this.#levels[level].push(node) === this.#layout.maxLinks) this.#endNode(level)
  }

  #endNode(level: number): void {
    const children = this.#levels[level]!
    const { block, node } = fileNode(children, this.#version)
    this.#levels[level] = []
    this.#onBlock?.(block)
    this.#add(level + 1, node)
  }
}

/** The block that holds one chunk of a file; by default as Kubo makes it for the version. */
export function fileLeaf(
  chunk: Uint8Array,
  cidVersion: CidVersion,
  isRaw = usualLayout(cidVersion).rawLeaves,
): FileLeaf {
  if (isRaw) return { cid: cidOf(chunk, rawCodec, 1), before: nothing, chunk, after: nothing }
  // A dag-pb node with only `Data`: UnixFS of type file, the chunk unless it is empty, and its size.
  const length = encodeVarint(chunk.length)
  const start = chunk.length > 0 ? [0x08, unixFsTypes.file, 0x12, ...length] : [0x08, unixFsTypes.file]
  const after = Uint8Array.of(0x18, ...length)
  const dataLength = encodeVarint(start.length + chunk.length + after.length)
  const before = Uint8Array.of(0x0a, ...dataLength, ...start)
  const digest = createSha256().update(before).update(chunk).update(after).hex()
  return { cid: cidOfDigest(hexToBytes(digest), dagPbCodec, cidVersion), before, chunk, after }
}

/** A leaf in one piece. */
export function leafBytes({ before, chunk, after }: FileLeaf): Uint8Array {
  return concatBytes(before, chunk, after)
}

function fileNode(children: BuiltNode[], cidVersion: CidVersion): { block: Block; node: BuiltNode } {
  const blockSizes = children.map(({ size }) => size)
  const size = blockSizes.reduce((sum, part) => sum + part, 0)
  const data = encodeUnixFs({ type: unixFsTypes.file, fileSize: size, blockSizes })
  return dagPbNode(
    data,
    children.map((child) => ({ name: '', node: child })),
    cidVersion,
    size,
  )
}

/** A dag-pb block with links in the order given. */
export function dagPbNode(
  data: Uint8Array,
  links: { name: string; node: BuiltNode }[],
  cidVersion: CidVersion,
  size = 0,
): { block: Block; node: BuiltNode } {
  const bytes = encode({
    Data: data,
    Links: links.map(({ name, node }) => ({ Hash: node.cid, Name: name, Tsize: node.dagSize })),
  })
  const cid = cidOf(bytes, dagPbCodec, cidVersion)
  const dagSize = links.reduce((sum, { node }) => sum + node.dagSize, bytes.length)
  return { block: { cid, bytes }, node: { cid, size, dagSize } }
}
