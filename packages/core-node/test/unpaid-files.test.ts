import { randomBytes } from 'node:crypto'
import { type ClaimedSize, devnetProfile, FileDag, sha256Hex } from '@aleph-ts/protocol'
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import type { ContentFetcher } from '../src/context.ts'
import { GarbageCollector } from '../src/storage/garbage-collector.ts'
import { store } from './testing/program.ts'
import { TestNode } from './testing/test-node.ts'
import { newWallet, type Wallet } from './testing/wallet.ts'

const mebibyte = 1024 * 1024
const rich = newWallet()
const poor = newWallet()
/** What the roots of all CIDs say, and the limits of the fetches that were begun. */
let claimed: ClaimedSize | undefined
const fetched: number[] = []
const elsewhere: ContentFetcher = {
  claimedSize: async () => claimed,
  fetch: async (_hash, _type, { maxBytes }) => {
    fetched.push(maxBytes)
    return 'unavailable'
  },
}
let node: TestNode

beforeAll(async () => {
  const limits = { ...devnetProfile.limits, freeFileBytes: 1000 }
  node = await TestNode.start({ contentFetcher: elsewhere, profile: { ...devnetProfile, limits } })
  await node.fund(rich.address, '1000000')
})
afterAll(() => node?.[Symbol.asyncDispose]())
beforeEach(() => fetched.splice(0))

async function claim(wallet: Wallet): Promise<string> {
  const cid = new FileDag().update(randomBytes(100)).finish().cid.toString()
  const message = store(wallet, cid, { item_type: 'ipfs' })
  await node.publish(message, false)
  return message.item_hash
}

async function statusOf(itemHash: string) {
  return (await node.get(`/api/v0/messages/${itemHash}`)).body
}

for (const kind of ['file', 'directory'] as const) {
  test(`a ${kind} that its owner cannot pay for is refused by what its root says, and not fetched`, async () => {
    claimed = { kind, size: 1000 * mebibyte }
    const hash = await claim(poor)
    await vi.waitFor(async () =>
      expect(await statusOf(hash)).toMatchObject({ status: 'rejected', error_code: 5 }),
    )
    expect(fetched).toEqual([])
  })

  test(`a ${kind} that its owner can pay for is fetched`, async () => {
    claimed = { kind, size: 1000 * mebibyte }
    await claim(rich)
    await vi.waitFor(() => expect(fetched[0]).toBeGreaterThan(1000 * mebibyte))
  })
}

test('of a folder that says less than it holds, no more is fetched than its owner could pay for', async () => {
  claimed = { kind: 'directory', size: 500 }
  await claim(poor)
  await vi.waitFor(() => expect(fetched[0]).toBeGreaterThan(mebibyte))
  expect(fetched[0]).toBeLessThan(10 * mebibyte)
})

test('of a file, no more is fetched than blocks of such a file may have', async () => {
  claimed = { kind: 'file', size: 1000 }
  await claim(rich)
  await vi.waitFor(() => expect(fetched).toEqual([2 * (mebibyte + 4000)]))
})

test('what no root is to be had of is fetched as ever', async () => {
  claimed = undefined
  await claim(rich)
  await vi.waitFor(() => expect(fetched).toEqual([node.node.context.profile.limits.carBytes]))
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
