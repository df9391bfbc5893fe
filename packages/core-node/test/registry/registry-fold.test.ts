import { publishedRegistry, type RegistryState } from '@aleph-ts/protocol'
import type pg from 'pg'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { takeRegistryChanges } from '../../src/registry/registry-changes.ts'
import { RegistryFold } from '../../src/registry/registry-fold.ts'
import { DatabaseServer } from '../../src/testing/index.ts'
import { ChainOfOperations, profile } from './chain-of-operations.ts'

const nobody = `0x${'0'.repeat(40)}`
const [ada, bob, eve] = ['1', '2', '3'].map((digit) => `0x${digit.repeat(40)}`) as [string, string, string]

let server: DatabaseServer
let pool: pg.Pool
let chain: ChainOfOperations
let fold: RegistryFold

beforeAll(async () => {
  server = await DatabaseServer.start()
  pool = await server.create('fold', { durable: false })
  chain = new ChainOfOperations(pool)
})
afterAll(async () => server[Symbol.asyncDispose]())

beforeEach(async () => {
  await pool.query(
    'truncate token_transfers, messages, balance_post_heights, chain_cursors, registry_changes',
  )
  fold = new RegistryFold(profile)
})

/** What the node does whenever something has changed. */
async function folded(): Promise<RegistryState> {
  const changed = await takeRegistryChanges(pool)
  if (changed !== null) fold.invalidate(changed)
  return (await fold.fold(pool)).state
}

const text = (state: RegistryState) => JSON.stringify(publishedRegistry(state))
const anew = async () => text((await new RegistryFold(profile).fold(pool)).state)

/** Ada and Bob hold enough for a core node each; the chain is long enough for its beginning to be settled. */
async function beginning(): Promise<string> {
  await chain.transfer(10, nobody, ada, 5_000)
  await chain.transfer(20, ada, bob, 2_000)
  const node = await chain.operate(100, ada, 'create-node', null, { name: 'ada' })
  await chain.readTo(10_000)
  return node
}

describe('the registry', () => {
  test('takes in what comes later without reading the beginning again', async () => {
    const node = await beginning()
    expect([...(await folded()).coreNodes.keys()]).toEqual([node])
    await chain.operate(9_990, bob, 'create-node', null, { name: 'bob' })
    await chain.transfer(9_995, nobody, eve, 7_000)
    await chain.operate(null, eve, 'stake-split', node)
    await chain.readTo(10_050)
    const state = await folded()
    expect([...state.coreNodes.values()]).toMatchObject([
      { name: 'ada', status: 'active' },
      { name: 'bob', status: 'waiting' },
    ])
    expect(text(state)).toBe(await anew())
  })

  test('is put right when something turns up in what was settled', async () => {
    await beginning()
    await folded()
    // Ada gave away too much before she registered, and Bob was there first under his name.
    await chain.transfer(50, ada, eve, 2_500)
    await chain.operate(60, bob, 'create-node', null, { name: 'bob' })
    const state = await folded()
    expect([...state.coreNodes.values()]).toMatchObject([{ name: 'bob' }])
    expect(text(state)).toBe(await anew())
  })

  test('takes back what the chain takes back', async () => {
    await beginning()
    const before = text(await folded())
    await chain.transfer(9_999, ada, eve, 2_900)
    await chain.readTo(10_010)
    expect((await folded()).coreNodes.size).toBe(0)
    await chain.revertAbove(9_998)
    expect(text(await folded())).toBe(before)
  })

  test('puts posts that no chain has confirmed behind all others, and in their place once one has', async () => {
    await beginning()
    await chain.readTo(10_000)
    const early = await chain.operate(null, bob, 'create-node', null, { name: 'early' })
    await chain.operate(9_000, bob, 'create-node', null, { name: 'confirmed' })
    expect([...(await folded()).coreNodes.values()].map(({ name }) => name)).toEqual(['ada', 'confirmed'])
    await pool.query('update messages set first_confirmed_height = 8000 where item_hash = $1', [early])
    const state = await folded()
    expect([...state.coreNodes.values()].map(({ name }) => name)).toEqual(['ada', 'early'])
    expect(text(state)).toBe(await anew())
  })

  test('of the past is the one that was, by confirmed posts alone', async () => {
    const node = await beginning()
    await chain.operate(200, bob, 'create-resource-node', null, { type: 'compute', name: 'worker' })
    await chain.operate(null, ada, 'drop-node', node)
    await folded()
    const sizes: [number, number][] = []
    for await (const { state } of fold.history(pool, [-1, 99, 100, 199, 200, 10_000])) {
      sizes.push([state.coreNodes.size, state.computeNodes.size])
    }
    expect(sizes).toEqual([
      [0, 0],
      [0, 0],
      [1, 0],
      [1, 0],
      [1, 1],
      [1, 1],
    ])
  })

  describe('where another platform secures nodes', () => {
    const secured = { ...profile, registry: { ...profile.registry, balancePlatforms: ['SABLIER'] } }
    const at = async (height: number, from = fold): Promise<string[]> => {
      const changed = await takeRegistryChanges(pool)
      if (changed !== null) fold.invalidate(changed)
      for await (const { state } of from.history(pool, [height])) {
        return [...state.balances]
          .map(([address, balance]) => `${address.slice(-1)} ${balance / 10n ** 18n}`)
          .sort()
      }
      return []
    }
    beforeEach(() => {
      fold = new RegistryFold(secured)
    })

    test('reports take effect one after the other, be it at a block that an earlier one named', async () => {
      await chain.readTo(10_000)
      await chain.report(1, 100, { [ada]: 1 })
      await chain.report(2, 300, { [ada]: 3, [bob]: 3 })
      await chain.report(3, 200, { [ada]: 2 })
      await chain.report(4, 400, { [bob]: 4 })
      expect(await at(99)).toEqual([])
      expect(await at(250)).toEqual(['1 1'])
      // The last of those that stand at block 300: Bob, whom it leaves out, has nothing.
      expect(await at(300)).toEqual(['1 2'])
      expect(await at(400)).toEqual(['2 4'])
    })

    test('one that turns up late moves those that were written after it', async () => {
      await chain.readTo(10_000)
      await chain.report(3, 200, { [ada]: 2 })
      await chain.report(4, 250, { [bob]: 4 })
      expect(await at(260)).toEqual(['2 4'])
      await chain.report(1, 500, { [eve]: 5 })
      expect(await at(260)).toEqual([])
      expect(await at(500)).toEqual(['2 4'])
      expect(await at(500, new RegistryFold(secured))).toEqual(['2 4'])
    })

    test('strangers move nothing', async () => {
      await chain.readTo(10_000)
      await chain.report(1, 9_000, { [eve]: 5 }, eve)
      await chain.report(2, 100, { [ada]: 1 })
      expect(await at(100)).toEqual(['1 1'])
      const { ignored } = await fold.fold(pool)
      expect(ignored).toMatchObject([{ height: 9_000, reason: 'not_believed' }])
    })
  })

  test('remembers why a post has no effect, once', async () => {
    await beginning()
    const hash = await chain.operate(300, eve, 'create-node')
    for (let round = 0; round < 3; round++) await folded()
    const { ignored } = await fold.fold(pool)
    expect(ignored).toMatchObject([
      { itemHash: hash, height: 300, action: 'create-node', reason: 'balance_too_low' },
    ])
  })
})
