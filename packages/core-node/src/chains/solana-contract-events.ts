import { type BlockMark, type ChainSource, ChainSourceError } from './chain-source.ts'
import { batchSaid, type ContractEvent, messageSaid } from './contract-event.ts'
import { type ProgramEvent, programEvents } from './solana-program-events.ts'
import { type ListedTransaction, SolanaRpc } from './solana-rpc.ts'

/** Transactions read for one range of slots; more of them are asked for in smaller ranges. */
const mostTransactions = 500
/** Transactions asked for at a time. */
const atOnce = 8

/** What one program says on Solana. */
export interface SolanaContract {
  rpcUrl: string
  /** The program. */
  contract: string
  startBlock: number
  /** Whose batches are believed. */
  authorizedEmitters: string[]
}

/**
 * The events of a program on Solana, read from its public JSON-RPC (protocol 04 §13, 08 §A1.7). Only final slots are
 * read, and those are never replaced: the number of a slot is enough to name it.
 */
export class SolanaContractEvents implements ChainSource<ContractEvent> {
  readonly identity: string
  readonly #program: string
  readonly #emitters: string[]
  readonly #rpc: SolanaRpc
  #head = 0
  /** What was listed last, so that the ranges of one pass share one walk back through the list. */
  #listed: { from: number; through: number; transactions: ListedTransaction[] } | undefined

  constructor(config: SolanaContract) {
    this.#program = config.contract
    this.#emitters = config.authorizedEmitters.toSorted()
    this.#rpc = new SolanaRpc(config.rpcUrl)
    this.identity = `solana/${config.contract}/${config.startBlock}/${this.#emitters.join(',')}`
  }

  close(): void {
    this.#rpc.close()
  }

  async head(): Promise<BlockMark> {
    this.#head = await this.#rpc.slot()
    return slotMark(this.#head)
  }

  async block(number: number): Promise<BlockMark> {
    return slotMark(number)
  }

  async events(from: number, to: number): Promise<ContractEvent[]> {
    const transactions = await this.#transactions(from, to)
    const done = transactions.filter(({ err }) => err === null || err === undefined)
    if (done.length > mostTransactions && from < to) {
      throw new ChainSourceError('refused', `${done.length} transactions are too many at once`)
    }
    const events: ContractEvent[] = []
    for (let start = 0; start < done.length; start += atOnce) {
      const part = done.slice(start, start + atOnce)
      events.push(...(await Promise.all(part.map((transaction) => this.#eventsOf(transaction)))).flat())
    }
    return numbered(events)
  }

  async #eventsOf({ slot, signature }: ListedTransaction): Promise<ContractEvent[]> {
    const { time, logs } = await this.#rpc.transaction(signature)
    return programEvents(logs, this.#program).flatMap((event) => {
      const said = whatIsSaid(event, this.#emitters)
      const place = { blockNumber: slot, height: slot, position: 0 }
      return said ? [{ ...place, txHash: signature, time, publisher: event.address, ...said }] : []
    })
  }

  async #transactions(from: number, to: number): Promise<ListedTransaction[]> {
    if (!this.#listed || from < this.#listed.from || to > this.#listed.through) {
      const oldest = await this.#rpc.oldestSlot()
      if (oldest > from) {
        throw new ChainSourceError(
          'unreachable',
          `the Solana node has nothing before slot ${oldest}, and ${from} is asked: use one that keeps everything`,
        )
      }
      const through = Math.max(this.#head, to)
      const transactions = await this.#rpc.transactionsSince(this.#program, from, through)
      this.#listed = { from, through, transactions }
    }
    return this.#listed.transactions.filter(({ slot }) => slot >= from && slot <= to)
  }
}

function slotMark(number: number): BlockMark {
  return { number, hash: `slot ${number}` }
}

/** Gives the events of each slot their places. */
function numbered(events: ContractEvent[]): ContractEvent[] {
  const counts = new Map<number, number>()
  return events.map((event) => {
    const position = counts.get(event.blockNumber) ?? 0
    counts.set(event.blockNumber, position + 1)
    return { ...event, position }
  })
}

function whatIsSaid(event: ProgramEvent, emitters: string[]) {
  return event.kind === 'batch'
    ? batchSaid(event.message, event.address, emitters)
    : messageSaid({ type: event.type, content: event.content })
}
