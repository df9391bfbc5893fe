import { JsonService } from './json-service.ts'

/** An event of a contract as the indexer tells it (protocol 08 §A1.4). */
export interface IndexedEvent {
  id: string
  timestamp: number
  address: string
  height: number
  transaction: string
  type?: string
  content?: string
  message?: string
}

/** Stands in for the multichain indexer: the two queries that nodes send, word by word, and its paging. */
export class MultichainIndexer extends JsonService {
  messageEvents: IndexedEvent[] = []
  syncEvents: IndexedEvent[] = []
  completeHistory = true
  processed: string[] = []
  /** Most events of an answer, whatever is asked for. */
  limit = 1_000

  constructor() {
    super(({ query }: { query: string }) => {
      if (query.includes('accountState')) {
        const { completeHistory, processed } = this
        const rest = { blockchain: 'ethereum', type: 'log', indexer: 'worker', progress: 100, pending: [] }
        return { data: { state: [{ ...rest, account: '0x', completeHistory, processed }] } }
      }
      const kind = query.includes('messageEvents') ? 'messageEvents' : 'syncEvents'
      const float = (name: string) => Number(new RegExp(`${name}: (\\d+\\.0)`).exec(query)![1])
      const [start, end] = [float('startDate'), float('endDate')]
      const events = this[kind]
        .filter(({ timestamp }) => timestamp >= start && timestamp <= end)
        .sort((a, b) => a.timestamp - b.timestamp || (a.id < b.id ? -1 : 1))
      return { data: { [kind]: events.slice(0, this.limit) } }
    })
  }
}
