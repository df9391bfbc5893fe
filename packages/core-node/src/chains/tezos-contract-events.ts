import { z } from 'zod'
import { type BlockMark, type ChainSource, ChainSourceError } from './chain-source.ts'
import { type ContractEvent, messageSaid } from './contract-event.ts'
import { JsonEndpoint } from './json-endpoint.ts'

/** Events in one answer. */
const pageSize = 100
/** Pages looked through for the end of the list in one go; from there the next look goes on. */
const mostPages = 1_000

const answerSchema = z.object({
  data: z.object({
    indexStatus: z.object({ status: z.string() }),
    events: z.array(
      z.object({
        _id: z.string().min(1).max(128),
        source: z.string().max(128),
        timestamp: z.string().max(64),
        blockLevel: z.int().nonnegative(),
        operationHash: z.string().min(1).max(128),
        payload: z.unknown(),
      }),
    ),
  }),
})

type TezosEvent = z.output<typeof answerSchema>['data']['events'][number]

const payloadSchema = z.object({
  addr: z.string().min(1).max(128),
  msgtype: z.string().max(64),
  msgcontent: z.string(),
})

/** What one contract says on Tezos, as an event indexer tells it. */
export interface TezosContract {
  indexerUrl: string
  contract: string
}

/**
 * The messages that a Tezos contract carries, read from the event indexer (protocol 04 §17.4, 08 §A2).
 *
 * The indexer gives one list, oldest first, that only grows, without a word about blocks. So that list is the chain we
 * follow: its first entry is block 1, and the id of an entry is its hash. Should the indexer ever order it anew, the
 * ids differ, and the reader goes back to where they agree. Pages are counted in entries of this one kind: the total
 * that the indexer tells counts others too.
 */
export function tezosContractEvents(config: TezosContract): ChainSource<ContractEvent> {
  const { contract } = config
  const endpoint = new JsonEndpoint({ urls: config.indexerUrl })
  let end: BlockMark = { number: 0, hash: '' }

  async function page(skip: number, limit = pageSize): Promise<TezosEvent[]> {
    const query = `{ indexStatus { status } events(limit: ${limit}, skip: ${skip}, source: "${contract}", type: "MessageEvent") { _id source timestamp blockLevel operationHash type payload } }`
    const answer = answerSchema.safeParse(await endpoint.ask({ query }))
    if (!answer.success) throw new ChainSourceError('unreachable', 'the Tezos indexer sent no list of events')
    const { indexStatus, events } = answer.data.data
    if (indexStatus.status !== 'synced') {
      throw new ChainSourceError('unreachable', `the Tezos indexer is not synced: ${indexStatus.status}`)
    }
    return events.slice(0, limit)
  }

  return {
    identity: `tezos/${contract}`,
    close: () => endpoint.close(),

    /** Looks on from the end known so far, or, when the list has become shorter, from halfway back. */
    async head() {
      let skip = Math.max(0, end.number - 1)
      let last: BlockMark = { number: 0, hash: '' }
      for (let pages = 1; pages <= mostPages; pages++) {
        const events = await page(skip)
        if (events.length > 0) last = { number: skip + events.length, hash: events.at(-1)!._id }
        if (events.length === pageSize) skip += pageSize
        else if (events.length > 0 || skip === 0 || last.number === skip) break
        else skip = Math.floor(skip / 2)
      }
      end = last
      return last
    },

    async block(number) {
      const [event] = await page(number - 1, 1)
      return event && { number, hash: event._id }
    },

    async events(from, to) {
      const events: ContractEvent[] = []
      for (let number = from; number <= to; number += pageSize) {
        const limit = Math.min(pageSize, to - number + 1)
        const found = await page(number - 1, limit)
        if (found.length < limit)
          throw new ChainSourceError('unreachable', 'the Tezos indexer left events out')
        for (const [index, event] of found.entries()) {
          const said = contractEvent(event, number + index, contract)
          if (said) events.push(said)
        }
      }
      return events
    },
  }
}

/** Undefined for an event that is no message: there is nothing to take from it. */
function contractEvent(event: TezosEvent, number: number, contract: string): ContractEvent | undefined {
  const payload = payloadSchema.safeParse(event.payload)
  const time = Date.parse(event.timestamp) / 1000
  if (!payload.success || !Number.isFinite(time) || event.source !== contract) return undefined
  const { addr, msgtype, msgcontent } = payload.data
  return {
    blockNumber: number,
    position: 0,
    height: event.blockLevel,
    txHash: event.operationHash,
    time,
    publisher: contract,
    ...messageSaid({ type: msgtype, content: msgcontent, address: addr }),
  }
}
