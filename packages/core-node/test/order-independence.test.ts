import { createHash } from 'node:crypto'
import type { Envelope } from '@aleph-ts/protocol'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { stateDigests } from '../src/state/digest.ts'
import { program, store } from './testing/program.ts'
import { TestNode } from './testing/test-node.ts'
import { newWallet, post, sign } from './testing/wallet.ts'

let node: TestNode

beforeAll(async () => {
  node = await TestNode.start()
})
afterAll(async () => {
  await node[Symbol.asyncDispose]()
})

const sha256 = (data: string) => createHash('sha256').update(data).digest('hex')
const files = ['code', 'runtime', 'v1', 'v2', 'v3']

/** One owner's doings in which nearly everything touches something else. */
function story(): { owner: string; messages: Envelope[] } {
  const wallet = newWallet()
  const [original, other] = [post(wallet, { v: 0 }), post(wallet, 'to be forgotten')]
  const amends = [1, 2, 3].map((v) =>
    post(wallet, { v, tags: [`t${v}`] }, { type: 'amend', ref: original.item_hash }),
  )
  const sameTime = 1_700_000_000
  const elements = [1, 2, 3, 4].map((n) =>
    sign(wallet, 'AGGREGATE', { key: 'k', content: { [`f${n % 3}`]: n }, time: sameTime + (n % 2) }),
  )
  const revisions = ['v1', 'v2', 'v3'].map((name) => store(wallet, sha256(name), { ref: 'site' }))
  const [code, runtime] = [store(wallet, sha256('code')), store(wallet, sha256('runtime'))]
  const vm = program(wallet, { code: code!.item_hash, runtime: runtime!.item_hash })
  const forget = sign(wallet, 'FORGET', {
    hashes: [other.item_hash, amends[2]!.item_hash, elements[3]!.item_hash, revisions[2]!.item_hash],
  })
  const messages = [original, other, ...amends, ...elements, ...revisions, code, runtime, vm, forget]
  return { owner: wallet.address, messages }
}

test('two nodes that get the same messages in any order and in any bursts have the same state', async () => {
  const { owner, messages } = story()
  let reference: Awaited<ReturnType<typeof stateDigests>> | undefined
  const orders = fc.shuffledSubarray(messages, { minLength: messages.length, maxLength: messages.length })
  await fc.assert(
    fc.asyncProperty(orders, fc.integer({ min: 1, max: messages.length }), async (order, burst) => {
      await wipe()
      await node.fund(owner, '5000')
      for (const name of files) await node.upload(name)
      for (let start = 0; start < order.length; start += burst) {
        await Promise.all(order.slice(start, start + burst).map((message) => node.publish(message, false)))
      }
      await node.settled()
      const digests = await stateDigests(node.node.context.pool)
      reference ??= digests
      expect(digests).toEqual(reference)
    }),
    { numRuns: 12 },
  )
})

async function wipe(): Promise<void> {
  await node.settled()
  await node.node.context.pool.query(`truncate pending_messages, unannounced_messages, messages, rejected_messages,
    forgotten_messages, posts, aggregate_elements, aggregates, files, file_pins, file_tags, vms, vm_references,
    account_costs, balances cascade`)
}
