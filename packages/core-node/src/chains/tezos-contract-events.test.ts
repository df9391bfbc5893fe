import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { ChainDatabase } from './testing/chain-database.ts'
import { eventReader } from './testing/event-reader.ts'
import { type IndexedEvent, indexedMessage, TezosIndexer } from './testing/tezos-indexer.ts'
import { tezosContractEvents } from './tezos-contract-events.ts'

const contract = 'KT1FfEoaNvooDfYrP61Ykct6L8z7w7e2pgnT'
const author = 'KT1VBeLD7hzKpj17aRJ3Kc6QQFeikCEXi7W6'

let database: ChainDatabase
beforeAll(async () => {
  database = await ChainDatabase.start()
})
afterAll(async () => {
  await database?.stop()
})
beforeEach(async () => {
  await database.clear()
})

function messages(count: number, text = 'message'): IndexedEvent[] {
  return Array.from({ length: count }, (_, index) =>
    indexedMessage(contract, index, { addr: author, msgtype: 'POST', msgcontent: `${text} ${index}` }),
  )
}

function readerOf(indexerUrl: string) {
  const source = tezosContractEvents({ indexerUrl, contract })
  const finality = { headLag: 0, reorgWindow: 1_000 }
  return eventReader({ database, chain: 'TEZOS', source, startBlock: 1, finality })
}

async function readTexts(): Promise<unknown[]> {
  return (await database.contractEvents()).map(({ content }) => (content as { content: string }).content)
}

describe('messages of a Tezos contract', () => {
  test('come with their sender, operation, level and time', async () => {
    await using indexer = await new TezosIndexer().start()
    indexer.events = messages(1)
    await using reader = await readerOf(indexer.url)
    await reader.sync()
    expect(await database.contractEvents()).toEqual([
      {
        tx_hash: `oo${'1'.repeat(48)}0`,
        publisher: contract,
        height: 2_870_000,
        time: 1_668_611_900,
        content: { type: 'POST', content: 'message 0', address: author },
      },
    ])
  })

  test('are all read, once each, page after page, also after a restart', async () => {
    await using indexer = await new TezosIndexer().start()
    const expected = messages(350)
    indexer.events = expected.slice(0, 200)
    {
      await using reader = await readerOf(indexer.url)
      await reader.sync()
      expect(await readTexts()).toHaveLength(200)
      indexer.events = expected.slice(0, 330)
      await reader.sync()
    }
    indexer.events = expected
    await using again = await readerOf(indexer.url)
    await again.sync()
    expect(await readTexts()).toEqual(expected.map((_, index) => `message ${index}`))
  })

  test('are not confused by events of other kinds, other contracts and other shapes', async () => {
    await using indexer = await new TezosIndexer().start()
    const [first, second, third] = messages(3)
    indexer.events = [
      first!,
      { ...second!, _id: 'other', type: 'Transfer' },
      { ...second!, _id: 'strange', payload: 'none' },
      third!,
    ]
    await using reader = await readerOf(indexer.url)
    await reader.sync()
    expect(await readTexts()).toEqual(['message 0', 'message 2'])
  })

  test('follow the indexer when it orders its list anew, or loses its end', async () => {
    await using indexer = await new TezosIndexer().start()
    indexer.events = messages(120)
    await using reader = await readerOf(indexer.url)
    await reader.sync()
    const [inserted] = messages(1, 'came late')
    indexer.events = messages(120).toSpliced(60, 0, { ...inserted!, _id: 'late', operationHash: 'oolate' })
    await reader.sync()
    expect(await readTexts()).toEqual(indexer.events.map(({ payload }) => Object(payload).msgcontent))
    indexer.events = indexer.events.slice(0, 40)
    await reader.sync()
    expect(await readTexts()).toEqual(indexer.events.map(({ payload }) => Object(payload).msgcontent))
  })

  test('wait for an indexer that is behind, limits us, or is away, and come from another one meanwhile', async () => {
    await using indexer = await new TezosIndexer().start()
    await using second = await new TezosIndexer().start()
    indexer.events = messages(5)
    indexer.status = 'in_progress'
    await using reader = await readerOf(indexer.url)
    await expect(reader.sync()).rejects.toMatchObject({ code: 'unreachable' })
    indexer.status = 'synced'
    indexer.failure = () => ({ status: 429 })
    await expect(reader.sync()).rejects.toMatchObject({ code: 'unreachable' })
    indexer.failure = () => 'hang up'
    await expect(reader.sync()).rejects.toMatchObject({ code: 'unreachable' })
    expect(await readTexts()).toEqual([])
    second.events = messages(3)
    await using either = await readerOf(`${indexer.url},${second.url}`)
    await either.sync()
    expect(await readTexts()).toHaveLength(3)
    indexer.failure = undefined
    await reader.sync()
    expect(await readTexts()).toHaveLength(5)
  })

  test('that an answer leaves out are not skipped', async () => {
    await using indexer = await new TezosIndexer().start()
    indexer.events = messages(150)
    let looks = 0
    indexer.failure = () => {
      // The list is whole while its end is looked for, and short when it is read.
      if (++looks === 3) indexer.events = messages(150).slice(0, 60)
      return undefined
    }
    await using reader = await readerOf(indexer.url)
    await reader.sync().catch(() => undefined)
    indexer.failure = undefined
    indexer.events = messages(150)
    await reader.sync()
    expect(await readTexts()).toHaveLength(150)
  })
})
