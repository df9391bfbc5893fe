import { keccak_256 } from '@noble/hashes/sha3.js'
import { bytesToHex, concatBytes, hexToBytes, utf8ToBytes } from '@noble/hashes/utils.js'
import type { Envelope } from '../message/envelope.ts'

/** What a batch commits about each of its messages. */
export type CommittedMessage = Pick<Envelope, 'item_hash' | 'chain' | 'sender' | 'type'>

/** A node of the tree: `0x` and 64 hex digits. */
export type TreeNode = `0x${string}`

/**
 * The leaf of a message: keccak256 twice over `abi.encode(itemHash, chain, sender, type)`, four strings. Twice, so
 * that no inner node can pass for a leaf.
 */
export function messageLeaf(message: CommittedMessage): TreeNode {
  const { item_hash, chain, sender, type } = message
  return hex(keccak_256(keccak_256(encodeStrings([item_hash, chain, sender, type]))))
}

/**
 * Every node of the Merkle tree over messages, root first, as OpenZeppelin's `StandardMerkleTree` lays it out: leaves
 * sorted, pairs sorted before hashing. The order of the messages does not matter.
 *
 * @throws {RangeError} without messages
 */
export function messageTree(messages: CommittedMessage[]): TreeNode[] {
  const leaves = [...new Set(messages.map(messageLeaf))].sort()
  if (leaves.length === 0) throw new RangeError('a tree needs at least one message')
  const nodes = new Array<TreeNode>(2 * leaves.length - 1)
  for (const [index, leaf] of leaves.entries()) nodes[nodes.length - 1 - index] = leaf
  for (let index = leaves.length - 2; index >= 0; index--) {
    nodes[index] = hashPair(nodes[2 * index + 1]!, nodes[2 * index + 2]!)
  }
  return nodes
}

/** The siblings from a message's leaf up to the root; undefined when the tree does not hold the message. */
export function messageProof(tree: TreeNode[], message: CommittedMessage): TreeNode[] | undefined {
  let index = tree.lastIndexOf(messageLeaf(message))
  if (index < (tree.length - 1) / 2) return undefined
  const proof: TreeNode[] = []
  while (index > 0) {
    proof.push(tree[index % 2 === 0 ? index - 1 : index + 1]!)
    index = Math.floor((index - 1) / 2)
  }
  return proof
}

/** Whether a message stands in the batch with this root. */
export function verifyMessageProof(root: TreeNode, message: CommittedMessage, proof: TreeNode[]): boolean {
  return proof.reduce(hashPair, messageLeaf(message)) === root
}

function hashPair(a: TreeNode, b: TreeNode): TreeNode {
  const [low, high] = a < b ? [a, b] : [b, a]
  return hex(keccak_256(hexToBytes(low.slice(2) + high.slice(2))))
}

/** `abi.encode` of strings: their offsets, then each with its length, filled up to whole words. */
function encodeStrings(texts: string[]): Uint8Array {
  let offset = texts.length * 32
  const heads: Uint8Array[] = []
  const tails: Uint8Array[] = []
  for (const text of texts) {
    const bytes = utf8ToBytes(text)
    const tail = new Uint8Array(32 + Math.ceil(bytes.length / 32) * 32)
    tail.set(word(bytes.length))
    tail.set(bytes, 32)
    heads.push(word(offset))
    tails.push(tail)
    offset += tail.length
  }
  return concatBytes(...heads, ...tails)
}

function word(value: number): Uint8Array {
  const bytes = new Uint8Array(32)
  new DataView(bytes.buffer).setUint32(28, value)
  return bytes
}

function hex(bytes: Uint8Array): TreeNode {
  return `0x${bytesToHex(bytes)}`
}
