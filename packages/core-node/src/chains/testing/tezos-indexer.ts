import { JsonService } from './json-service.ts'

/** One event as the indexer tells it (protocol 08 §A2). */
export interface IndexedEvent {
  _id: string
  source: string
  timestamp: string
  blockLevel: number
  operationHash: string
  type: string
  payload: unknown
}

/** Stands in for the event indexer of Tezos: its list, its paging, its status. */
export class TezosIndexer extends JsonService {
  events: IndexedEvent[] = []
  status = 'synced'

  constructor() {
    super(({ query }: { query: string }) => {
      const number = (name: string) => Number(new RegExp(`${name}: (\\d+)`).exec(query)![1])
      const text = (name: string) => new RegExp(`${name}: "([^"]+)"`).exec(query)![1]
      const matching = this.events.filter(
        ({ source, type }) => source === text('source') && type === text('type'),
      )
      const events = matching.slice(number('skip'), number('skip') + number('limit'))
      return { data: { indexStatus: { status: this.status }, events } }
    })
  }
}

/** An event that carries a message, `number` blocks after a first one. */
export function indexedMessage(
  contract: string,
  number: number,
  message: { addr: string; msgtype: string; msgcontent: string },
): IndexedEvent {
  const time = new Date(1_668_611_900_000 + number * 15_000).toISOString()
  return {
    _id: `event-${number}-${message.msgcontent.length}`,
    source: contract,
    timestamp: time.replace('.000', ''),
    blockLevel: 2_870_000 + number,
    operationHash: `oo${String(number).padStart(49, '1')}`,
    type: 'MessageEvent',
    payload: { timestamp: String(Date.parse(time) / 1000), ...message },
  }
}
