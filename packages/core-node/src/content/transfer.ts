import { ContentAddressError, classifyHash } from '@aleph-ts/protocol'
import { type FileStore, FileStoreError } from '../storage/file-store.ts'

/** A form in which other nodes give away what a hash names. */
export interface Transfer {
  /** Below a core node's base URL. */
  path: (hash: string) => string
  /** Streams it into the file store; rejects when it is not what the hash names. */
  keep: (
    fileStore: FileStore,
    bytes: AsyncIterable<Uint8Array>,
    options: { hash: string; maxBytes: number },
  ) => Promise<unknown>
  /** Whoever serves other bytes lies. A CID says less: the same bytes have another one when they are cut otherwise. */
  isExact: boolean
}

const plain: Transfer = {
  path: (hash) => `api/v0/storage/raw/${hash}`,
  keep: (fileStore, bytes, { hash, maxBytes }) => fileStore.write(bytes, { maxBytes, expectedHash: hash }),
  isExact: true,
}

/** All blocks, as trustless IPFS gateways serve them. */
const car: Transfer = {
  path: (cid) => `ipfs/${cid}?format=car`,
  keep: (fileStore, bytes, { hash, maxBytes }) =>
    fileStore.importCar(bytes, { maxBytes, expectedRoot: hash }),
  isExact: true,
}

/** The bytes of a file, from nodes that know no archives: cut anew as Kubo and others do. */
const plainForCid: Transfer = {
  path: plain.path,
  keep: (fileStore, bytes, { hash, maxBytes }) =>
    fileStore.addIpfsFile(bytes, { maxBytes, expectedCid: hash, cidVersion: hash.startsWith('Qm') ? 0 : 1 }),
  isExact: false,
}

/** The forms in which a hash can be had from core nodes, the best first (protocol 04 §7–8). */
export function transfersOf(hash: string, itemType: 'storage' | 'ipfs'): Transfer[] {
  if (classifyHash(hash) !== itemType) return []
  return itemType === 'storage' ? [plain] : [car, plainForCid]
}

const lies = ['hash_mismatch', 'wrong_bytes', 'invalid_car', 'missing_block']

/** What a transfer that went wrong says about the peer; nothing when its bytes were refused for what the hash names. */
export function blameFor(error: unknown, { isExact }: Transfer): 'lied' | 'failed' | null {
  if (!(error instanceof FileStoreError || error instanceof ContentAddressError)) return 'failed'
  if (!lies.includes(error.code)) return null
  return isExact ? 'lied' : 'failed'
}
