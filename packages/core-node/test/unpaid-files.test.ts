import { randomBytes } from 'node:crypto'
import { type ClaimedSize, FileDag } from '@aleph-ts/protocol'
import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import type { ContentFetcher } from '../src/context.ts'
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
  node = await TestNode.start({ contentFetcher: elsewhere })
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
  claimed = { kind: 'directory', size: 1000 }
  await claim(poor)
  await vi.waitFor(() => expect(fetched[0]).toBeGreaterThan(25 * mebibyte))
  expect(fetched[0]).toBeLessThan(100 * mebibyte)
})

test('of a file, no more is fetched than blocks of such a file may have', async () => {
  claimed = { kind: 'file', size: 1000 }
  await claim(rich)
  await vi.waitFor(() => expect(fetched).toEqual([2 * (mebibyte + 4000)]))
})

test('what no root is to be had of is fetched as ever', async () => {
  claimed = undefined
  await claim(poor)
  await vi.waitFor(() => expect(fetched).toEqual([node.node.context.profile.limits.carBytes]))
})
