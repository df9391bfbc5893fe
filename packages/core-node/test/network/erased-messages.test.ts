import { devnetProfile, ownPlace } from '@aleph-ts/protocol'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { ErasedMessages } from '../../src/catch-up/erased-messages.ts'
import { tombstoneSchema } from '../../src/catch-up/wire.ts'
import { inTransaction } from '../../src/database/pool.ts'
import { eraseForgotten } from '../../src/state/forgets.ts'
import type { Tombstone } from '../../src/state/tombstones.ts'
import { patience } from '../testing/patience.ts'
import { TestNode } from '../testing/test-node.ts'
import { newWallet, post, sign } from '../testing/wallet.ts'
import { CoreCluster } from './core-cluster.ts'

const wallet = newWallet()
let cluster: CoreCluster

beforeAll(async () => {
  cluster = await CoreCluster.create()
}, 60_000)
afterAll(() => cluster?.stop(), 60_000)

test('a new node learns what was forgotten, though nobody holds the content any more', async () => {
  const old = await cluster.add('old', [])
  const { node } = await cluster.run(old)
  const forgotten = post(wallet, 'said too much')
  const amend = post(wallet, 'said less', { type: 'amend', ref: forgotten.item_hash })
  const element = sign(wallet, 'AGGREGATE', { key: 'profile', content: { name: 'somebody' } })
  const messages = [
    forgotten,
    amend,
    element,
    post(wallet, 'stays'),
    sign(wallet, 'FORGET', { hashes: [forgotten.item_hash], aggregates: ['profile'], reason: 'enough' }),
  ]
  for (const message of messages) await (old.running as TestNode).publish(message)
  await inTransaction(old.pool, (tx) => eraseForgotten(tx, new Date('2100-01-01')))

  const fresh = await cluster.add('fresh', [node.multiaddrs[0]!])
  await cluster.run(fresh)
  await vi.waitFor(async () => {
    const [first, second] = await cluster.tallies()
    expect(first).toBe('2 processed, 3 forgotten, 0 waiting, 0 refused')
    expect(second).toBe(first)
  }, patience)
  const [first, second] = await cluster.digests()
  expect(second).toEqual(first)
}, 120_000)

test('of an erased message nothing is believed without its signature and its FORGET', async () => {
  await using target = await TestNode.start()
  const { context } = target.node
  const erased = new ErasedMessages(context, { exclusively: (work) => work(), reconsider() {} }, () => true)
  const message = post(wallet, 'somewhere else')
  const forget = sign(wallet, 'FORGET', { hashes: [message.item_hash], reason: 'enough' })
  const place = ownPlace(
    { contentTime: message.time, firstConfirmedAt: null, itemHash: message.item_hash },
    devnetProfile,
  )
  const row = {
    ...message,
    owner: wallet.address,
    content_type: 'note',
    payment_type: 'hold',
    forgotten_by: [forget.item_hash],
    forgotten_at: forget.time,
    place,
    until: place,
    sender_time: Math.round(message.time * 1e6),
  }
  const tombstone: Tombstone = tombstoneSchema.parse({
    ...message,
    erased: { row: JSON.stringify(row), facts: '{}' },
  })
  const isForgotten = async () => {
    const { rowCount } = await context.pool.query('select from forgotten_messages')
    return rowCount === 1
  }

  await erased.take([tombstone])
  expect(await isForgotten()).toBe(false)
  await context.inbox.accept(forget, { door: 'catch-up' })
  await erased.take([{ ...tombstone, signature: sign(wallet, 'FORGET', { hashes: [] }).signature }])
  expect(await isForgotten()).toBe(false)
  await erased.take([tombstone])
  expect(await isForgotten()).toBe(true)
  expect(() => tombstoneSchema.parse({ ...tombstone, erased: { row: '{}', facts: '{}' } })).toThrow()
}, 60_000)
