import { describe, expect, test } from 'vitest'
import { readFixture } from '../../test/fixtures.ts'
import { readBatchArchive } from './batch-archive.ts'
import { contractEnvelope } from './contract-message.ts'
import {
  type CommittedMessage,
  messageLeaf,
  messageProof,
  messageTree,
  verifyMessageProof,
} from './message-tree.ts'
import { parseSyncPayload } from './sync-payload.ts'

type Vector = CommittedMessage & { leaf: string; proof: string[] }

const message = (index: number) => ({
  item_hash: index.toString(16).padStart(64, '0'),
  chain: 'ETH' as const,
  sender: '0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266',
  type: 'POST' as const,
})

describe('a batch', () => {
  test('proves each of its messages, and no other, whatever their order', () => {
    for (const count of [1, 2, 3, 5, 16, 33]) {
      const messages = Array.from({ length: count }, (_, index) => message(index))
      const tree = messageTree(messages)
      expect(messageTree(messages.toReversed())[0]).toBe(tree[0])
      for (const one of messages) {
        expect(verifyMessageProof(tree[0]!, one, messageProof(tree, one)!)).toBe(true)
        expect(verifyMessageProof(tree[0]!, { ...one, sender: '0x' }, messageProof(tree, one)!)).toBe(false)
      }
      expect(messageProof(tree, message(count))).toBeUndefined()
    }
  })

  test('has the tree of the published vectors, which OpenZeppelin builds alike', () => {
    const { batches } = readFixture<{ batches: { root: string; messages: Vector[] }[] }>('message-tree')
    for (const { root, messages } of batches) {
      const tree = messageTree(messages)
      expect(tree[0]).toBe(root)
      for (const { leaf, proof, ...message } of messages) {
        expect(messageLeaf(message)).toBe(leaf)
        expect(messageProof(tree, message)).toEqual(proof)
      }
    }
  })

  test('is refused when it is no list of messages', () => {
    for (const text of ['', '{', 'null', '{"content":{"messages":{}}}']) {
      expect(() => readBatchArchive(text)).toThrow(expect.objectContaining({ code: 'bad_batch' }))
    }
  })

  test('is announced by protocol, version and content, and by nothing less', () => {
    expect(parseSyncPayload('{"protocol":"aleph-offchain","version":1,"content":"Qm"}')).toEqual({
      protocol: 'aleph-offchain',
      version: 1,
      content: 'Qm',
    })
    for (const text of [
      '',
      'null',
      '[]',
      '{"protocol":"aleph","version":1}',
      '{"protocol":1,"version":1,"content":1}',
    ]) {
      expect(parseSyncPayload(text)).toBeUndefined()
    }
  })
})

test('a file that a contract stores by its CID has the hash that every node gives it', () => {
  const envelope = contractEnvelope({
    chain: 'TEZOS',
    sender: 'KT1VBeLD7hzKpj17aRJ3Kc6QQFeikCEXi7W6',
    time: 1668611900,
    type: 'STORE_IPFS',
    content: 'QmaMLRsvmDRCezZe2iebcKWtEzKNjBaQfwcu7mcpdm8eY2',
  })
  expect(envelope).toMatchObject({
    type: 'STORE',
    item_hash: '1eb440938336b13e7e4ad3f9ebea6de8dbf7fcbdba4c8861ea0a4f70e19e777d',
  })
})
