import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { indexedContractEvents } from './indexed-contract-events.ts'
import { ChainDatabase } from './testing/chain-database.ts'
import { eventReader } from './testing/event-reader.ts'
import { type IndexedEvent, MultichainIndexer } from './testing/multichain-indexer.ts'

const contract = '0x166fd4299364B21c7567e163d85D78d2fb2f8Ad5'
const emitter = '0x23eC28598DCeB2f7082Cc3a9D670592DfEd6e0dC'
const author = '0x70997970C51812dc3A010C7d01b50e0d17dc79C8'
const start = 1_677_248_195

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

function event(number: number, second: number): IndexedEvent {
  return {
    id: `ethereum_${16_698_727 + number}_${contract.toLowerCase()}_52`,
    timestamp: (start + second) * 1_000,
    address: author.toLowerCase(),
    height: 16_698_727 + number,
    transaction: `0x${String(number).padStart(64, '0')}`,
  }
}

function message(number: number, second = number): IndexedEvent {
  return { ...event(number, second), type: 'POST', content: `message ${number}` }
}

/** An interval of seconds, as the indexer writes it. */
function interval(from: number, to: number): string {
  return [from, to].map((second) => new Date((start + second) * 1_000).toISOString()).join('/')
}

function readerOf(indexerUrl: string) {
  const source = indexedContractEvents({ indexerUrl, chain: 'ETH', contract, authorizedEmitters: [emitter] })
  const finality = { headLag: 0, reorgWindow: 0 }
  return eventReader({ database, chain: 'ETH', source, startBlock: start, finality, maxRange: 1_000_000 })
}

async function readTexts(): Promise<unknown[]> {
  return (await database.contractEvents()).map(({ content }) => (content as { content: string }).content)
}

describe('events of a contract that the multichain indexer tells', () => {
  test('come with their sender, transaction, height and time; batches only of those who are believed', async () => {
    await using indexer = await new MultichainIndexer().start()
    const payload =
      '{"protocol":"aleph-offchain","version":1,"content":"QmV9tkuBEoSnmSuh7SakL7J33zCuUgDTckA17qyRpz3oDx"}'
    indexer.messageEvents = [message(7)]
    indexer.syncEvents = [
      { ...event(1, 1), address: emitter, message: payload },
      { ...event(2, 2), message: payload },
    ]
    indexer.processed = [interval(-5_000, 10)]
    await using reader = readerOf(indexer.url)
    await reader.sync()
    expect(await database.contractEvents()).toEqual([
      {
        tx_hash: `0x${'1'.padStart(64, '0')}`,
        publisher: emitter,
        height: 16_698_728,
        time: start + 1,
        content: 'QmV9tkuBEoSnmSuh7SakL7J33zCuUgDTckA17qyRpz3oDx',
      },
      {
        tx_hash: `0x${'7'.padStart(64, '0')}`,
        publisher: author,
        height: 16_698_734,
        time: start + 7,
        content: { type: 'POST', content: 'message 7' },
      },
    ])
  })

  test('are asked for in the words of the production network', async () => {
    await using indexer = await new MultichainIndexer().start()
    indexer.processed = [interval(0, 10)]
    await using reader = readerOf(indexer.url)
    await reader.sync()
    const range = `limit: 1000, reverse: false, startDate: ${start}000.0, endDate: ${start + 9}000.0`
    expect(indexer.asked.slice(0, 3)).toEqual([
      {
        query: `{ state: accountState(blockchain: "ethereum" account: ["${contract.toLowerCase()}"] type: log) { blockchain type indexer account completeHistory progress pending processed } }`,
      },
      {
        query: `{ messageEvents(blockchain: "ethereum", ${range}) { id timestamp address height transaction type content } }`,
      },
      {
        query: `{ syncEvents(blockchain: "ethereum", ${range}) { id timestamp address height transaction message } }`,
      },
    ])
  })

  test('are all read, once each and in order, page after page, also of one second and after a restart', async () => {
    await using indexer = await new MultichainIndexer().start()
    // A block a second, with five events: as text, the tenth log of a block comes before the ninth.
    indexer.messageEvents = Array.from({ length: 3_200 }, (_, index) => {
      const block = Math.floor(index / 5)
      const id = `ethereum_${block}_${contract.toLowerCase()}_${8 + (index % 5)}`
      return { ...message(index, block), height: block, id }
    })
    indexer.processed = [interval(0, 400)]
    {
      await using reader = readerOf(indexer.url)
      await reader.sync()
      expect(await readTexts()).toHaveLength(400 * 5)
    }
    indexer.processed = [interval(0, 2_000)]
    await using again = readerOf(indexer.url)
    await again.sync()
    expect(await readTexts()).toEqual(indexer.messageEvents.map(({ content }) => content))
  })

  test('are read as far as the indexer has everything, and not before it does', async () => {
    await using indexer = await new MultichainIndexer().start()
    indexer.messageEvents = [message(1), message(20), message(40)]
    await using reader = readerOf(indexer.url)
    await expect(reader.sync()).rejects.toMatchObject({ code: 'unreachable' })
    indexer.processed = [interval(0, 100)]
    indexer.completeHistory = false
    await expect(reader.sync()).rejects.toMatchObject({ code: 'unreachable' })
    indexer.completeHistory = true
    // Between the second and the third interval something is missing; the last second may not be over.
    indexer.processed = [interval(30, 100), interval(0, 10), interval(11, 20)]
    await reader.sync()
    expect(await readTexts()).toEqual(['message 1'])
    indexer.processed = [interval(0, 21), interval(22, 100)]
    await reader.sync()
    expect(await readTexts()).toEqual(['message 1', 'message 20', 'message 40'])
  })

  test('of other contracts are left alone', async () => {
    await using indexer = await new MultichainIndexer().start()
    const other = { ...message(1), id: `ethereum_16698727_0x${'1'.repeat(40)}_1` }
    indexer.messageEvents = [other, message(2)]
    indexer.processed = [interval(0, 100)]
    await using reader = readerOf(indexer.url)
    await reader.sync()
    expect(await readTexts()).toEqual(['message 2'])
  })

  test('wait for an indexer that is away, sends something else, or goes in circles', async () => {
    await using indexer = await new MultichainIndexer().start()
    indexer.messageEvents = Array.from({ length: 1_500 }, (_, index) => message(index, 5))
    indexer.processed = [interval(0, 100)]
    await using reader = readerOf(indexer.url)
    await expect(reader.sync()).rejects.toMatchObject({ code: 'unreachable' })
    indexer.failure = () => 'hang up'
    await expect(reader.sync()).rejects.toMatchObject({ code: 'unreachable' })
    indexer.failure = undefined
    indexer.messageEvents = [{ ...message(1), transaction: 'none' }]
    await expect(reader.sync()).rejects.toMatchObject({ code: 'unreachable' })
    indexer.messageEvents = [message(1)]
    await reader.sync()
    expect(await readTexts()).toEqual(['message 1'])
  })
})
