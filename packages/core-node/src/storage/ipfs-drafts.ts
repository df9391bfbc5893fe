import {
  type Block,
  CarReader,
  type Cid,
  type CidVersion,
  ContentAddressError,
  FileDag,
  parseCid,
  TreeDag,
} from '@aleph-ts/protocol'
import { DagArchiveWriter, type FileStat } from './dag-archive.ts'
import type { Draft } from './draft.ts'
import { FileStoreError } from './file-store-error.ts'

export type ByteSource = AsyncIterable<Uint8Array> | Iterable<Uint8Array>

/** One file of a folder that is streamed in. */
export interface FolderFile {
  /** Names joined by `/`. */
  path: string
  bytes: ByteSource
}

/** A DAG that is now stored. */
export interface ImportedDag extends FileStat {
  cid: string
}

/** Stands in the header until the root is known; both have the length of every root of their version. */
const placeholders: Record<CidVersion, string> = {
  0: 'QmUNLLsPACCz1vLxQVkXqqLX5R1X345qqfHbsf67hvA3Nn',
  1: 'bafybeiczsscdsbs7ffqz55asqdf3smv6klcw3gofszvwlyarci47bgf354',
}

/** Streams a file as it is into a draft, past whatever computes its hash. */
export async function writeFile(
  draft: Draft,
  source: ByteSource,
  maxBytes: number,
  hash: { update(bytes: Uint8Array): unknown },
): Promise<void> {
  for await (const chunk of source) {
    if (draft.size + chunk.byteLength > maxBytes) throw tooLarge(maxBytes)
    hash.update(chunk)
    await draft.append(chunk)
  }
}

/** Streams the files of a folder into a draft, as an archive of all blocks. */
export async function writeFolder(
  draft: Draft,
  files: AsyncIterable<FolderFile> | Iterable<FolderFile>,
  maxBytes: number,
  cidVersion: CidVersion,
): Promise<ImportedDag> {
  const archive = new DagArchiveWriter(draft)
  await archive.begin(parseCid(placeholders[cidVersion]))
  const made: Block[] = []
  const onBlock = (block: Block) => void made.push(block)
  const tree = new TreeDag({ cidVersion, onBlock })
  let size = 0
  for await (const { path, bytes } of files) {
    const dag = new FileDag({ cidVersion, onBlock })
    for await (const chunk of bytes) {
      size += chunk.byteLength
      if (size > maxBytes) throw tooLarge(maxBytes)
      dag.update(chunk)
      await addAll(archive, made)
    }
    tree.add(path, dag.finish())
    await addAll(archive, made)
  }
  const { cid } = tree.finish()
  await addAll(archive, made)
  return { cid: cid.toString(), ...(await archive.finish(cid)) }
}

/** Streams a CAR into a draft, each block verified. */
export async function writeCar(
  draft: Draft,
  source: ByteSource,
  maxBytes: number,
  expectedRoot: string | undefined,
): Promise<ImportedDag> {
  const archive = new DagArchiveWriter(draft)
  const made: Block[] = []
  let root: Cid | undefined
  let hasBegun = false
  const reader = new CarReader({
    onHeader: (roots) => {
      root = onlyRoot(roots, expectedRoot)
    },
    onBlock: (block) => void made.push(block),
  })
  let size = 0
  for await (const chunk of source) {
    size += chunk.byteLength
    if (size > maxBytes) throw tooLarge(maxBytes)
    reader.push(chunk)
    if (root && !hasBegun) {
      hasBegun = true
      await archive.begin(root)
    }
    await addAll(archive, made)
  }
  reader.finish()
  return { cid: root!.toString(), ...(await archive.finish(root!)) }
}

/** Streams the blocks of a DAG into a draft, in any order; their hashes are known to be right. */
export async function writeBlocks(
  draft: Draft,
  blocks: AsyncIterable<Block>,
  maxBytes: number,
  root: Cid,
): Promise<ImportedDag> {
  const archive = new DagArchiveWriter(draft)
  await archive.begin(root)
  for await (const block of blocks) {
    await archive.add(block)
    if (draft.size > maxBytes) throw tooLarge(maxBytes)
  }
  return { cid: root.toString(), ...(await archive.finish(root)) }
}

function onlyRoot(roots: Cid[], expected: string | undefined): Cid {
  const [root] = roots
  if (!root || roots.length !== 1) {
    throw new ContentAddressError('invalid_car', `It has ${roots.length} roots, not one`)
  }
  if (expected === undefined || expected === root.toString()) return root
  throw new FileStoreError('hash_mismatch', `Root CID does not match (${root} != ${expected})`)
}

async function addAll(archive: DagArchiveWriter, blocks: Block[]): Promise<void> {
  for (const block of blocks) await archive.add(block)
  blocks.length = 0
}

function tooLarge(maxBytes: number): FileStoreError {
  return new FileStoreError('file_too_large', `The file is larger than ${maxBytes} bytes`)
}
