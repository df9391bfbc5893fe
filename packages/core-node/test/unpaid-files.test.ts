import { randomBytes } from 'node:crypto'
import { type ClaimedSize, devnetProfile, FileDag, sha256Hex } from '@aleph-ts/protocol'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import type { ContentFetcher } from '../src/context.ts'
import { GarbageCollector } from '../src/storage/garbage-collector.ts'
import { patience } from './testing/patience.ts'
import { store } from './testing/program.ts'
import { TestNode } from './testing/test-node.ts'
import { newWallet, sign, type Wallet } from './testing/wallet.ts'

const mebibyte = 1024 * 1024
const rich = newWallet()
const poor = newWallet()
const publisher = newWallet()
let height = 1
/** What the roots of all CIDs say. */
let claimed: ClaimedSize | undefined
/** The limits of the fetches that were begun, by CID. */
const fetched = new Map<string, number>()
const elsewhere: ContentFetcher = {
  claimedSize: async () => claimed,
  fetch: async (cid, _type, { maxBytes }) => {
    fetched.set(cid, maxBytes)
    return 'unavailable'
  },
}
let node: TestNode

beforeAll(async () => {
  const limits = { ...devnetProfile.limits, freeFileBytes: 1000 }
  const addresses = {
    ...devnetProfile.addresses,
    balances: [publisher.address],
    credits: [publisher.address],
  }
  node = await TestNode.start({
    contentFetcher: elsewhere,
    profile: { ...devnetProfile, limits, addresses },
  })
  await node.fund(rich.address, '1000000')
})
afterAll(() => node?.[Symbol.asyncDispose]())

async function claim(wallet: Wallet, fields = {}): Promise<{ cid: string; itemHash: string }> {
  const cid = new FileDag().update(randomBytes(100)).finish().cid.toString()
  const message = store(wallet, cid, { item_type: 'ipfs', ...fields })
  await node.publish(message, false)
  return { cid, itemHash: message.item_hash }
}

/** The network's publisher says what an account has. */
async function endow({ address }: Wallet, means: 'ALEPH' | 'credits', amount: number): Promise<void> {
  const credits = [{ address, amount, price: '1', tx_hash: '0x', provider: 'WALLET' }]
  const message =
    means === 'ALEPH'
      ? sign(publisher, 'POST', {
          type: 'balances-update',
          content: { chain: 'SOL', main_height: height++, balances: { [address]: amount } },
        })
      : sign(
          publisher,
          'POST',
          { type: 'aleph_credit_distribution', content: { distribution: { credits } } },
          { channel: 'ALEPH_CREDIT' },
        )
  expect((await node.publish(message)).body).toMatchObject({ message_status: 'processed' })
}

/** The limit of the fetch of a CID, once it was begun. */
function limitOf(cid: string): Promise<number> {
  return vi.waitFor(() => {
    expect(fetched.has(cid)).toBe(true)
    return fetched.get(cid)!
  }, patience)
}

for (const kind of ['file', 'directory'] as const) {
  test(`a ${kind} that its owner cannot pay for is refused by what its root says, and not fetched`, async () => {
    claimed = { kind, size: 1000 * mebibyte }
    const { cid, itemHash } = await claim(poor)
    const refused = { status: 'rejected', error_code: 5 }
    await vi.waitFor(async () => {
      expect((await node.get(`/api/v0/messages/${itemHash}`)).body).toMatchObject(refused)
    }, patience)
    expect(fetched.has(cid)).toBe(false)
  })

  test(`a ${kind} that its owner can pay for is fetched`, async () => {
    claimed = { kind, size: 1000 * mebibyte }
    const { cid } = await claim(rich)
    expect(await limitOf(cid)).toBeGreaterThan(1000 * mebibyte)
  })
}

for (const [means, payment] of [
  ['ALEPH', {}],
  ['credits', { payment: { type: 'credit', chain: 'ETH' } }],
] as const) {
  test(`a file that was not fetched because its owner could not pay is fetched when the owner gets ${means}`, async () => {
    claimed = { kind: 'file', size: 1000 * mebibyte }
    const owner = newWallet()
    const { cid, itemHash } = await claim(owner, payment)
    await vi.waitFor(async () => {
      expect((await node.get(`/api/v0/messages/${itemHash}`)).body.status).toBe('rejected')
    }, patience)
    // Less than it costs changes nothing.
    await endow(owner, means, 1)
    expect((await node.get(`/api/v0/messages/${itemHash}`)).body.status).toBe('rejected')
    await endow(owner, means, 1_000_000_000)
    await limitOf(cid)
    expect((await node.get(`/api/v0/messages/${itemHash}`)).body.status).toBe('pending')
  })
}

test('of a folder that says less than it holds, no more is fetched than its owner could pay for', async () => {
  claimed = { kind: 'directory', size: 500 }
  const { cid } = await claim(poor)
  const limit = await limitOf(cid)
  expect(limit).toBeGreaterThan(mebibyte)
  expect(limit).toBeLessThan(10 * mebibyte)
})

test('of a file, no more is fetched than blocks of such a file may have', async () => {
  claimed = { kind: 'file', size: 1000 }
  const { cid } = await claim(rich)
  expect(await limitOf(cid)).toBe(2 * (mebibyte + 4000))
})

test('what no root is to be had of is fetched as ever', async () => {
  claimed = undefined
  const { cid } = await claim(rich)
  expect(await limitOf(cid)).toBe(node.node.context.profile.limits.carBytes)
})

describe('a file that was uploaded with a message that is refused', () => {
  const minutes = 60_000
  const exclusively = { exclusively: <T>(work: () => Promise<T>) => work() }

  async function dropExpired(after: number): Promise<void> {
    await new GarbageCollector(node.node.context, exclusively).dropExpired(Date.now() + after)
  }

  test('is gone soon after', async () => {
    const { fileStore } = node.node.context
    const file = randomBytes(10_000)
    const hash = sha256Hex(file)
    expect((await node.upload(file, store(poor, hash))).status).toBe(402)
    await dropExpired(5 * minutes)
    expect(await fileStore.has(hash)).toBe(true)
    await dropExpired(15 * minutes)
    expect(await fileStore.has(hash)).toBe(false)
    expect((await node.get(`/api/v0/storage/metadata/${hash}`)).status).toBe(404)
  })

  test('stays as long as ever when it had been uploaded before', async () => {
    const file = randomBytes(10_000)
    const hash = sha256Hex(file)
    expect((await node.upload(file)).status).toBe(200)
    expect((await node.upload(file, store(poor, hash))).status).toBe(402)
    await dropExpired(60 * minutes)
    expect(await node.node.context.fileStore.has(hash)).toBe(true)
  })

  test('stays when somebody else claims it meanwhile', async () => {
    const file = randomBytes(10_000)
    const hash = sha256Hex(file)
    expect((await node.upload(file, store(poor, hash))).status).toBe(402)
    expect((await node.upload(file, store(rich, hash))).status).toBe(200)
    await dropExpired(60 * minutes)
    expect(await node.node.context.fileStore.has(hash)).toBe(true)
  })
})
