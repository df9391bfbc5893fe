import { sha256Hex } from './sha256.ts'

export type HashKind = 'storage' | 'ipfs' | 'ipns'

const storageHash = /^[0-9a-f]{64}$/
const cidV0 = /^Qm[1-9A-HJ-NP-Za-km-z]{42,44}$/
const cidV1 = /^bafy[a-z2-7]{55}$/
const ipnsName = /^k51[0-9a-z]{59}$/

/**
 * What a hash points to, by its shape alone (protocol 01 §2.1): `storage` (sha256 hex), `ipfs` (CID),
 * `ipns` (a mutable name), or null when it is none of them. Never throws.
 */
export function classifyHash(hash: string): HashKind | null {
  if (storageHash.test(hash)) return 'storage'
  if (cidV0.test(hash) || cidV1.test(hash)) return 'ipfs'
  if (ipnsName.test(hash)) return 'ipns'
  return null
}

/** Whether text names a message or a file: a storage or ipfs hash (protocol 01 §2.1). */
export function isItemHash(hash: string): boolean {
  const kind = classifyHash(hash)
  return kind === 'storage' || kind === 'ipfs'
}

/** The `item_hash` of an inline message: sha256 hex of the text exactly as sent (protocol 01 §2.2). */
export function itemHash(itemContent: string): string {
  return sha256Hex(itemContent)
}
