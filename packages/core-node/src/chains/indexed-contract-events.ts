import type { Chain } from '@aleph-ts/protocol'
import { getAddress } from 'viem'
import { z } from 'zod'
import { type BlockMark, type ChainSource, ChainSourceError } from './chain-source.ts'
import { batchSaid, type ContractEvent, messageSaid } from './contract-event.ts'
import { JsonEndpoint } from './json-endpoint.ts'

/** Events asked for at once. */
const pageSize = 1_000
/** Events of one range of time; more of them are asked for in smaller ranges. */
const mostEvents = 20_000

/** Chains that the indexer knows, by the names it has for them. */
const blockchains: Partial<Record<Chain, string>> = { ETH: 'ethereum', BSC: 'bsc' }

const stateSchema = z.object({
  data: z.object({
    state: z.array(z.object({ completeHistory: z.boolean(), processed: z.array(z.string()) })),
  }),
})

const eventSchema = z.object({
  id: z.string().min(1).max(256),
  /** Milliseconds. */
  timestamp: z.int().nonnegative(),
  address: z.string().regex(/^0x[0-9a-fA-F]{40}$/),
  height: z.int().nonnegative(),
  transaction: z.string().regex(/^0x[0-9a-fA-F]{64}$/),
})
const messagesSchema = z.object({
  data: z.object({ messageEvents: z.array(eventSchema.extend({ type: z.string(), content: z.string() })) }),
})
const batchesSchema = z.object({
  data: z.object({ syncEvents: z.array(eventSchema.extend({ message: z.string() })) }),
})

/** What one contract says on an EVM chain, as the multichain indexer tells it. */
export interface IndexedContract {
  indexerUrl: string
  chain: Chain
  contract: string
  /** Whose batches are believed (EIP-55, exact); messages are taken from anybody. */
  authorizedEmitters: string[]
}

/** Whether the indexer has events of a chain. */
export function isIndexed(chain: Chain): boolean {
  return blockchains[chain] !== undefined
}

/**
 * The events of a contract, read from the multichain indexer (protocol 04 §17.3, 08 §A1) by a node without an endpoint
 * of the chain.
 *
 * The indexer says for which times it has everything, and that is final. So seconds are the blocks of the chain we
 * follow: each is read once, up to the last but one that the indexer has, as the last may not be over.
 */
export function indexedContractEvents(config: IndexedContract): ChainSource<ContractEvent> {
  const { chain, contract } = config
  const blockchain = blockchains[chain]
  if (blockchain === undefined) throw new TypeError(`The multichain indexer has nothing of ${chain}`)
  const emitters = config.authorizedEmitters.toSorted()
  const endpoint = new JsonEndpoint({ urls: config.indexerUrl })

  async function ask<Answer>(schema: z.ZodType<Answer>, query: string): Promise<Answer> {
    const answer = schema.safeParse(await endpoint.ask({ query }))
    if (answer.success) return answer.data
    throw new ChainSourceError('unreachable', 'the indexer sent something else than it was asked for')
  }

  async function messages(from: number, to: number): Promise<IndexedEvent[]> {
    const events = await inPages(from, to, async (range) => {
      const query = `{ messageEvents(blockchain: "${blockchain}", ${range}) { id timestamp address height transaction type content } }`
      return (await ask(messagesSchema, query)).data.messageEvents
    })
    return events.map(({ type, content, ...event }) => ({ ...event, said: messageSaid({ type, content }) }))
  }

  async function batches(from: number, to: number): Promise<IndexedEvent[]> {
    if (emitters.length === 0) return []
    const events = await inPages(from, to, async (range) => {
      const query = `{ syncEvents(blockchain: "${blockchain}", ${range}) { id timestamp address height transaction message } }`
      return (await ask(batchesSchema, query)).data.syncEvents
    })
    return events.flatMap((event) => {
      const said = batchSaid(event.message, getAddress(event.address), emitters)
      return said ? { ...event, said } : []
    })
  }

  return {
    identity: `indexer/${blockchain}/${contract}/${emitters.join(',')}`,
    close: () => endpoint.close(),

    async head() {
      // Written as the production network's nodes write it.
      const account = chain === 'ETH' ? contract.toLowerCase() : contract
      const query = `{ state: accountState(blockchain: "${blockchain}" account: ["${account}"] type: log) { blockchain type indexer account completeHistory progress pending processed } }`
      const [state] = (await ask(stateSchema, query)).data.state
      if (!state?.completeHistory) {
        throw new ChainSourceError('unreachable', `the indexer has not read all of ${contract} yet`)
      }
      return secondMark(Math.floor(endOfFirst(state.processed.map(parseInterval)) / 1_000) - 1)
    },

    async block(number) {
      return secondMark(number)
    },

    async events(from, to) {
      const found = await Promise.all([messages(from, to), batches(from, to)])
      const own = found.flat().filter(({ id }) => isOf(id, contract))
      return numbered(own.sort(inChainOrder))
    },
  }
}

interface IndexedEvent extends z.output<typeof eventSchema> {
  said: Pick<ContractEvent, 'protocol' | 'protocolVersion' | 'content'>
}

function secondMark(number: number): BlockMark {
  return { number, hash: `second ${number}` }
}

/** Everything between two seconds, page by page: each begins with the time at which the one before ended. */
async function inPages<Event extends { id: string; timestamp: number }>(
  from: number,
  to: number,
  page: (range: string) => Promise<Event[]>,
): Promise<Event[]> {
  const found = new Map<string, Event>()
  // Floats, as the indexer declares them.
  const end = `endDate: ${to * 1_000}.0`
  for (let start = from * 1_000; ; ) {
    const events = await page(`limit: ${pageSize}, reverse: false, startDate: ${start}.0, ${end}`)
    for (const event of events) found.set(event.id, event)
    if (events.length < pageSize) return [...found.values()]
    if (found.size > mostEvents && from < to) {
      throw new ChainSourceError('refused', `more than ${mostEvents} events are too many at once`)
    }
    const last = Math.max(...events.map(({ timestamp }) => timestamp))
    if (last <= start)
      throw new ChainSourceError('unreachable', `the indexer gives one page for all of ${last}`)
    start = last
  }
}

type Interval = [start: number, end: number]

/** An interval of time with both its ends, milliseconds. */
function parseInterval(text: string): Interval {
  const [start = Number.NaN, end = Number.NaN] = text.split('/').map((time) => Date.parse(time))
  if (start <= end) return [start, end]
  throw new ChainSourceError('unreachable', `the indexer names no interval of time: ${text.slice(0, 100)}`)
}

/** Where the first interval ends, with those that follow it without a second between them. */
function endOfFirst(intervals: Interval[]): number {
  const [first, ...others] = intervals.toSorted(([a], [b]) => a - b)
  if (!first) throw new ChainSourceError('unreachable', 'the indexer has read nothing yet')
  let [, end] = first
  for (const [start, otherEnd] of others) {
    const nextSecond = (Math.floor(end / 1_000) + 1) * 1_000
    if (start > nextSecond) break
    end = Math.max(end, otherEnd)
  }
  return end
}

/** Ids are `<chain>_<height>_<contract>_<log index>`; of other forms we know nothing. */
function isOf(id: string, contract: string): boolean {
  const named = /_(0x[0-9a-f]{40})_\d+$/i.exec(id)?.[1]
  return named === undefined || named.toLowerCase() === contract.toLowerCase()
}

function inChainOrder(a: IndexedEvent, b: IndexedEvent): number {
  const byId = a.id < b.id ? -1 : 1
  return a.timestamp - b.timestamp || a.height - b.height || logIndex(a.id) - logIndex(b.id) || byId
}

function logIndex(id: string): number {
  return Number(/_(\d+)$/.exec(id)?.[1] ?? 0)
}

/** Events in chain order, each with its place in its second. */
function numbered(events: IndexedEvent[]): ContractEvent[] {
  const counts = new Map<number, number>()
  return events.map(({ timestamp, height, transaction, address, said }) => {
    const blockNumber = Math.floor(timestamp / 1_000)
    const position = counts.get(blockNumber) ?? 0
    counts.set(blockNumber, position + 1)
    const place = { blockNumber, position, height, time: timestamp / 1_000 }
    return { ...place, txHash: transaction.toLowerCase(), publisher: getAddress(address), ...said }
  })
}
