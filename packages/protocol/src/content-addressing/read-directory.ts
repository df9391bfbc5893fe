import type { Cid } from './cid.ts'
import { ContentAddressError } from './content-address-error.ts'
import { checkEntryName, pathSegments } from './entry-name.ts'
import { type GetBlock, loadNode } from './get-block.ts'
import { hamtHashType, hamtSlot, slotPrefix, slotPrefixLength } from './hamt.ts'
import type { UnixFsLink, UnixFsNode } from './unixfs-node.ts'
import { maxDagDepth } from './verify-dag.ts'

type Shard = Extract<UnixFsNode, { kind: 'shard' }>

/**
 * The entries of a directory, sharded or not, in the order of its blocks.
 *
 * @throws {ContentAddressError} `not_a_directory`, `missing_block`, `invalid_dag`, `invalid_path` for a name no file
 * can have
 */
export async function* listDirectory(cid: Cid, getBlock: GetBlock): AsyncGenerator<UnixFsLink, void> {
  const node = await loadNode(cid, getBlock)
  const links = node.kind === 'shard' ? shardEntries(node, 0, getBlock) : directoryOf(cid, node)
  for await (const link of links) {
    checkEntryName(link.name)
    yield link
  }
}

/**
 * The CID that a path below `root` leads to; the empty path leads to the root itself.
 *
 * @throws {ContentAddressError} `not_found`, `not_a_directory`, `invalid_path`, `missing_block`, `invalid_dag`
 */
export async function resolvePath(root: Cid, path: string, getBlock: GetBlock): Promise<Cid> {
  let cid = root
  for (const name of pathSegments(path)) {
    const found = await findEntry(cid, name, getBlock)
    if (!found) throw new ContentAddressError('not_found', `There is no ${JSON.stringify(name)} in ${cid}`)
    cid = found.cid
  }
  return cid
}

/** One thing in a tree. */
export interface TreeEntry {
  /** From the root, names joined by `/`; the root itself has the empty path. */
  path: string
  cid: Cid
  kind: 'file' | 'directory' | 'symlink'
  /** Bytes of a file; 0 for all else. */
  size: number
  /** Where a symbolic link points to. */
  target?: string
}

/** Most entries of a tree that are listed: few blocks can name billions, the same ones again and again. */
const mostEntries = 1_000_000

/**
 * Everything below a root, directories before what is in them.
 *
 * @param options `maxEntries`: after so many it fails, by default 1,000,000
 * @throws {ContentAddressError} as {@link listDirectory}; `too_large`
 */
export async function* walkTree(
  root: Cid,
  getBlock: GetBlock,
  { maxEntries = mostEntries }: { maxEntries?: number } = {},
): AsyncGenerator<TreeEntry, void> {
  let entries = 0
  for await (const entry of walk(root, '', 0, getBlock)) {
    if (++entries > maxEntries) {
      throw new ContentAddressError('too_large', `${root} has more than ${maxEntries} entries`)
    }
    yield entry
  }
}

async function* walk(
  cid: Cid,
  path: string,
  depth: number,
  getBlock: GetBlock,
): AsyncGenerator<TreeEntry, void> {
  if (depth > maxDagDepth) throw new ContentAddressError('invalid_dag', `${path} is too deep`)
  const node = await loadNode(cid, getBlock)
  if (node.kind === 'file') yield { path, cid, kind: 'file', size: node.size }
  else if (node.kind === 'symlink') {
    yield { path, cid, kind: 'symlink', size: 0, target: new TextDecoder().decode(node.target) }
  } else {
    yield { path, cid, kind: 'directory', size: 0 }
    for await (const entry of listDirectory(cid, getBlock)) {
      yield* walk(entry.cid, path === '' ? entry.name : `${path}/${entry.name}`, depth + 1, getBlock)
    }
  }
}

async function findEntry(cid: Cid, name: string, getBlock: GetBlock): Promise<UnixFsLink | undefined> {
  let node = await loadNode(cid, getBlock)
  for (let level = 0; node.kind === 'shard'; level++) {
    checkShard(node)
    const prefix = slotPrefix(hamtSlot(name, level, node.fanout), node.fanout)
    const link = node.links.find((candidate) => candidate.name.startsWith(prefix))
    if (!link || link.name.length > prefix.length) return link?.name === prefix + name ? link : undefined
    node = await loadNode(link.cid, getBlock)
  }
  return directoryOf(cid, node).find((link) => link.name === name)
}

function directoryOf(cid: Cid, node: UnixFsNode): UnixFsLink[] {
  if (node.kind === 'directory') return node.links
  throw new ContentAddressError('not_a_directory', `${cid} is a ${node.kind}, not a directory`)
}

async function* shardEntries(
  shard: Shard,
  level: number,
  getBlock: GetBlock,
): AsyncGenerator<UnixFsLink, void> {
  checkShard(shard)
  const width = slotPrefixLength(shard.fanout)
  for (const link of shard.links) {
    if (link.name.length > width) {
      yield { ...link, name: link.name.slice(width) }
      continue
    }
    const below = await loadNode(link.cid, getBlock)
    if (below.kind !== 'shard' || level > maxDagDepth) {
      throw new ContentAddressError('invalid_dag', `${link.cid} is no part of a sharded directory`)
    }
    yield* shardEntries(below, level + 1, getBlock)
  }
}

function checkShard({ hashType, fanout }: Shard): void {
  slotPrefixLength(fanout)
  if (hashType === hamtHashType) return
  throw new ContentAddressError('invalid_dag', `A sharded directory uses hash 0x${hashType.toString(16)}`)
}
