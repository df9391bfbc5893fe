import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type BalanceReaderConfig, createBalanceReader } from './balance-reader.ts'
import { loadBalances } from './balances.ts'
import type { ChainProgress, ChainReader } from './chain-reader.ts'
import { ChainDatabase, silentLogger } from './testing/chain-database.ts'
import { TokenChain } from './testing/token-chain.ts'
import type { TokenTransfer } from './token-transfers.ts'

let database: ChainDatabase
let chain: TokenChain
const readers: ChainReader<TokenTransfer>[] = []

beforeAll(async () => {
  database = await ChainDatabase.start()
})
afterAll(async () => {
  await database?.stop()
})
beforeEach(async () => {
  await database.clear()
  chain = await TokenChain.start()
})
afterEach(async () => {
  for (const reader of readers.splice(0)) await reader.stop()
  await chain[Symbol.asyncDispose]()
})

function newReader(changes: Partial<BalanceReaderConfig> = {}) {
  const reader = createBalanceReader({
    pool: database.pool,
    logger: silentLogger,
    rpcUrl: chain.chain.rpcUrl,
    token: { chain: 'ETH', evmChainId: 31337, contract: chain.token, decimals: 18, startBlock: 0 },
    pollMs: 10,
    ...changes,
  })
  readers.push(reader)
  return reader
}

/** The ledger, the sum of its transfers and the contract itself agree. */
async function expectTruth() {
  const truth = await chain.holdings()
  expect(await database.balances()).toEqual(truth)
  expect(await database.replayedBalances()).toEqual(truth)
}

describe('balances read from the chain', () => {
  test('are what the token contract says, to the last digit', async () => {
    await chain.pay(0, 1, '2000')
    await chain.pay(1, 2, '0.000000000000000001')
    await chain.payMany(0, [
      { to: 2, aleph: '10' },
      { to: 3, aleph: '0' },
      { to: 0, aleph: '5' },
      { to: 2, aleph: '1.5' },
    ])
    await chain.mine(20)
    const reader = newReader({ maxRange: 4 })
    await reader.sync()
    await expectTruth()
    expect(await loadBalances(database.pool, [chain.address(2), chain.address(3)])).toEqual(
      new Map([
        [chain.address(2), '11.500000000000000001'],
        [chain.address(3), '0'],
      ]),
    )
  })

  test('follow the chain while it runs, and tell who changed', async () => {
    const changed: string[] = []
    const reader = newReader({ onBalancesChanged: (addresses) => changed.push(...addresses) })
    reader.start()
    await reader.ready()
    expect(changed).toEqual([chain.address(0)])
    changed.length = 0
    await chain.pay(0, 4, '7')
    await expect.poll(() => changed.toSorted()).toEqual([chain.address(0), chain.address(4)].toSorted())
    await expectTruth()
  })

  test('forget an address that gave everything away', async () => {
    await chain.pay(0, 1, '3')
    const reader = newReader()
    await reader.sync()
    await chain.pay(1, 2, '3')
    await reader.sync()
    await expectTruth()
    expect(Object.keys(await database.balances())).not.toContain(chain.address(1))
  })

  test('go on where another run stopped, and count nothing twice', async () => {
    await chain.pay(0, 1, '3')
    await newReader().sync()
    await chain.pay(0, 1, '4')
    const progress: ChainProgress[] = []
    await newReader({ onProgress: (step) => progress.push(step) }).sync()
    await expectTruth()
    expect(progress.at(-1)).toEqual({
      chain: 'ETH',
      stream: 'token',
      block: await chain.height(),
      head: await chain.height(),
      error: null,
    })
    expect(progress.map((step) => step.block)).not.toContain(0)
  })

  test('are the same rows whether read at once or block by block', async () => {
    for (let payment = 1; payment <= 6; payment++) await chain.pay(0, 1 + (payment % 3), `${payment}.25`)
    await newReader().sync()
    const atOnce = await database.digest()
    await database.clear()
    await newReader({ maxRange: 1 }).sync()
    expect(await database.digest()).toBe(atOnce)
  })

  test('leave the newest blocks unread when told to', async () => {
    await chain.pay(0, 1, '3')
    await chain.mine(1)
    const reader = newReader({ finality: { headLag: 2, reorgWindow: 64 } })
    await reader.sync()
    expect(await loadBalances(database.pool, [chain.address(1)])).toEqual(new Map([[chain.address(1), '0']]))
    await chain.mine(1)
    await reader.sync()
    await expectTruth()
  })

  test('start anew when the token is another contract', async () => {
    await chain.pay(0, 1, '3')
    await newReader().sync()
    const other = '0x00000000000000000000000000000000000000AA'
    const token = { chain: 'ETH', evmChainId: 31337, contract: other, decimals: 18, startBlock: 0 }
    await newReader({ token }).sync()
    expect(await database.digest()).toBe('')
  })
})

describe('when the chain takes blocks back', () => {
  test('payments of replaced blocks are undone and those of the new blocks count', async () => {
    await chain.pay(0, 1, '100')
    const reader = newReader()
    await reader.sync()
    await chain.pay(0, 2, '20')
    await reader.sync()
    await chain.pay(1, 3, '50')
    await reader.sync()
    await chain.reorganise(2, { from: 0, to: 4, aleph: '9' })
    await reader.sync()
    await expectTruth()
    expect(await database.balances()).toMatchObject({
      [chain.address(1)]: 100n * 10n ** 18n,
      [chain.address(4)]: 9n * 10n ** 18n,
    })
  })

  test('those whose balance changed are told', async () => {
    const changed = new Set<string>()
    const reader = newReader({
      onBalancesChanged: (addresses) => addresses.forEach((address) => void changed.add(address)),
    })
    await reader.sync()
    await chain.pay(0, 2, '20')
    await reader.sync()
    changed.clear()
    await chain.reorganise(1)
    await reader.sync()
    expect([...changed].toSorted()).toEqual([chain.address(0), chain.address(2)].toSorted())
  })

  test('a chain that got shorter is believed after a while, and read on from there', async () => {
    const reader = newReader()
    await chain.pay(0, 1, '100')
    await reader.sync()
    const before = await chain.snapshot()
    await chain.pay(1, 2, '60')
    await chain.pay(1, 3, '1')
    await reader.sync()
    await chain.revertTo(before)
    await reader.sync()
    await expectTruth()
    await chain.pay(1, 3, '2')
    await chain.pay(1, 3, '3')
    await reader.sync()
    await expectTruth()
  })

  test('more blocks than are remembered, everything is read again', async () => {
    const reader = newReader({ finality: { headLag: 0, reorgWindow: 2 } })
    const empty = await chain.snapshot()
    for (let payment = 1; payment <= 5; payment++) {
      await chain.pay(0, payment, '11')
      await reader.sync()
    }
    await chain.revertTo(empty)
    for (let payment = 1; payment <= 7; payment++) await chain.pay(0, 3, '1')
    await reader.sync()
    await expectTruth()
  })

  test.each([10, 11, 12, 13])(
    'the rows are those of a node that never saw the old blocks, whatever happened (%i)',
    async (seed) => {
      const reader = newReader({ finality: { headLag: 0, reorgWindow: 4 }, maxRange: 3, pollMs: 1 })
      const random = seededRandom(seed)
      await chain.payMany(
        0,
        [1, 2, 3, 4, 5].map((to) => ({ to, aleph: '1000' })),
      )
      let snapshot = await chain.snapshot()
      for (let step = 0; step < 60; step++) {
        const [from, to, amount] = [random(6), random(6), random(90)]
        const action = random(20)
        if (action <= 7) await chain.pay(from, to, `${amount}.5`)
        else if (action <= 9) await chain.mine(1 + random(3))
        else if (action <= 15) await reader.sync()
        else {
          if (action <= 18 && (await chain.height()) > 6) await chain.reorganise(1 + random(3))
          else await chain.revertTo(snapshot)
          // Anvil breaks when it goes back to a block that it has replaced.
          snapshot = await chain.snapshot()
        }
      }
      await reader.sync()
      await expectTruth()
      const seen = await database.digest()
      await database.clear()
      await newReader().sync()
      expect(await database.digest()).toBe(seen)
    },
  )
})

/** Whole numbers below a bound, the same ones in every run. */
function seededRandom(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}
