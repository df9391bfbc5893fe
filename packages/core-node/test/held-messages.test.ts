import { afterAll, beforeAll, expect, test } from 'vitest'
import { PostgresHeldMessages } from '../src/catch-up/held-messages.ts'
import { TestNode } from './testing/test-node.ts'
import { newWallet, post, sign } from './testing/wallet.ts'

const wallet = newWallet()
let node: TestNode

beforeAll(async () => {
  // The node's own rounds take the noted changes too: there is none while the test lasts.
  node = await TestNode.start({
    config: { p2p: { host: '127.0.0.1', port: 0, peers: [], reconcileSeconds: 3600 } },
  })
})

afterAll(async () => {
  await node?.[Symbol.asyncDispose]()
})

/** Hashes in the set of a node, in order. */
async function hashesOf(held: PostgresHeldMessages): Promise<string[]> {
  const set = await held.set()
  return Array.from({ length: set.size }, (_, rank) => set.nameOf(set.at(rank).digest))
}

test('the set of messages follows what is processed, forgotten and erased, and is the same after a restart', async () => {
  const { pool } = node.node.context
  const fresh = () => hashesOf(new PostgresHeldMessages(pool))
  const messages = [post(wallet, 'one'), post(wallet, 'two'), post(wallet, 'three')]
  for (const message of messages) await node.publish(message)
  const hashes = messages.map((message) => message.item_hash)
  expect(await fresh()).toEqual(hashes)

  const held = new PostgresHeldMessages(pool)
  expect(await hashesOf(held)).toEqual(hashes)
  const forget = sign(wallet, 'FORGET', { hashes: [hashes[1]], reason: 'enough' })
  await node.publish(forget)
  const late = sign(wallet, 'POST', { type: 'note', content: 'late', time: messages[0]!.time - 100 })
  await node.publish(late)
  expect(await hashesOf(held)).toEqual([late.item_hash, ...hashes, forget.item_hash])
  expect(await fresh()).toEqual([late.item_hash, ...hashes, forget.item_hash])
  expect((await held.envelopes(hashes)).map((envelope) => envelope.item_hash).sort()).toEqual(
    hashes.toSorted(),
  )

  await pool.query('update forgotten_messages set item_content = null, content = null')
  expect(await hashesOf(held)).toEqual([late.item_hash, ...hashes, forget.item_hash])
  expect(await fresh()).toEqual([late.item_hash, ...hashes, forget.item_hash])
  expect(await held.envelopes([hashes[1]!])).toEqual([])
  expect(await held.tombstones(hashes)).toMatchObject([{ item_hash: hashes[1], sender: wallet.address }])
  // Nobody needs to hand it to us again.
  expect(await held.unknown([hashes[1]!, 'f'.repeat(64)])).toEqual(['f'.repeat(64)])
})
