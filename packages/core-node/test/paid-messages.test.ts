import { createHash } from 'node:crypto'
import { devnetProfile, type NetworkProfile } from '@aleph-ts/protocol'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { RemovalJobs } from '../src/removal/removal-jobs.ts'
import { recordTransactions } from '../src/state/confirmations.ts'
import { GarbageCollector } from '../src/storage/garbage-collector.ts'
import { store } from './testing/program.ts'
import { TestNode } from './testing/test-node.ts'
import { newWallet, post, sign, type Wallet } from './testing/wallet.ts'

const publisher = newWallet()
const profile: NetworkProfile = {
  ...devnetProfile,
  addresses: { ...devnetProfile.addresses, credits: [publisher.address] },
  // No file is too small to be paid for.
  limits: { ...devnetProfile.limits, freeFileBytes: 0 },
}
let node: TestNode

beforeAll(async () => {
  node = await TestNode.start({ profile })
})
afterAll(async () => {
  await node[Symbol.asyncDispose]()
})

const sha256 = (data: string) => createHash('sha256').update(data).digest('hex')
const exclusively = { exclusively: <T>(work: () => Promise<T>) => work(), reconsider: () => {} }

function creditPost(sender: Wallet, type: string, content: unknown) {
  return sign(sender, 'POST', { type: `aleph_credit_${type}`, content }, { channel: 'ALEPH_CREDIT' })
}

async function grant(address: string, amount: number): Promise<void> {
  const credits = [{ address, amount, price: '1', tx_hash: '0x', provider: 'WALLET' }]
  const answer = await node.publish(creditPost(publisher, 'distribution', { distribution: { credits } }))
  expect(answer.status).toBe(200)
}

/** A chain confirms a message just now. */
async function confirm(itemHash: string, hash: string): Promise<void> {
  const { pool, inbox } = node.node.context
  const time = Date.now() / 1000
  await recordTransactions(pool, [
    {
      hash,
      chain: 'ETH',
      height: 7,
      time,
      publisher: '0x',
      protocol: 'aleph',
      protocolVersion: 1,
      content: '{}',
    },
  ])
  await inbox.confirm([{ itemHash, txHash: hash }])
}

test('a confirmation shows on a message, also when it came before the message', async () => {
  const [known, coming] = [post(newWallet(), 1), post(newWallet(), 2)]
  await node.publish(known)
  await confirm(known.item_hash, '0xknown')
  await confirm(coming.item_hash, '0xcoming')
  await node.publish(coming)
  for (const { item_hash } of [known, coming]) {
    const { body } = await node.get(`/api/v0/messages/${item_hash}`)
    expect(body.message).toMatchObject({ confirmed: true, confirmations: [{ chain: 'ETH', height: 7 }] })
    await expect
      .poll(async () => {
        const columns = 'select first_confirmed_height from messages where item_hash = $1'
        return (await node.node.context.pool.query(columns, [item_hash])).rows
      })
      .toEqual([{ first_confirmed_height: 7n }])
  }
})

test('a file that its owner stops paying for is suspended, removed, and shown as that', async () => {
  const wallet = newWallet()
  await grant(wallet.address, 200)
  const message = store(wallet, sha256('paid'), { payment: { type: 'credit', chain: 'ETH' } })
  expect((await node.upload('paid', message)).status).toBe(200)
  await confirm(message.item_hash, '0xpaid')
  await node.publish(
    creditPost(publisher, 'expense', { expense: { credits: [{ address: wallet.address, amount: 150 }] } }),
  )
  const { context } = node.node
  const told: unknown[] = []
  for (const event of ['removing', 'removed'] as const) {
    context.events.on(event, (batch) => told.push([event, ...batch.map(({ item_hash }) => item_hash)]))
  }
  await expect
    .poll(async () => {
      await new RemovalJobs(context, exclusively).run()
      return (await node.get(`/api/v0/messages/${message.item_hash}/status`)).body.status
    })
    .toBe('removing')
  await new GarbageCollector(context, exclusively).collect(Date.now() + 26 * 3600 * 1000)
  const { status, body } = await node.get(`/api/v0/messages/${message.item_hash}`)
  expect(status).toBe(200)
  expect(body).toMatchObject({
    status: 'removed',
    size: 4,
    message: { owner: wallet.address, payment_type: 'credit' },
  })
  expect(told).toEqual([
    ['removing', message.item_hash],
    ['removed', message.item_hash],
  ])
  const list = await node.get('/api/v0/messages.json?msgStatuses=removed')
  expect(list.body.messages).toMatchObject([{ item_hash: message.item_hash, status: 'removed' }])
  expect((await node.publish(message)).body.message_status).toBe('removed')
})
