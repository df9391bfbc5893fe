import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { inTransaction } from '../../src/database/pool.ts'
import { eraseForgotten } from '../../src/state/forgets.ts'
import type { TestNode } from '../testing/test-node.ts'
import { newWallet, post, sign } from '../testing/wallet.ts'
import { CoreCluster } from './core-cluster.ts'

const patience = { timeout: 60_000, interval: 200 }
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
