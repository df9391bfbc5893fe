import {
  BatchArchiveError,
  batchMessages,
  type Chain,
  classifyHash,
  contractEnvelope,
  readBatchArchive,
} from '@aleph-ts/protocol'
import type { ContentFetcher, CoreNodeContext } from '../context.ts'
import { isDatabaseAway } from '../database/pool.ts'
import { insertFiles } from '../state/files.ts'

/** Largest archive that is read, bytes; it is held in memory once. */
const mostArchiveBytes = 256 * 1024 * 1024
const mostMessages = 100_000
const largestPart = 200
/** Events looked at together: one whose archive is slow to come, or nowhere, holds up few others. */
const atOnce = 4
const pollMs = 1_000
const longestPauseSeconds = 3_600
const quarantineSeconds = 24 * 3_600

interface EventRow {
  chain: Chain
  stream: string
  block_number: bigint
  position: number
  tx_hash: string
  datetime: Date
  publisher: string
  protocol: string
  protocol_version: number
  content: unknown
  attempts: number
}

/** The archive of a batch is nowhere to be had now. */
class ArchiveUnavailableError extends Error {
  readonly code = 'archive_unavailable'
}

/** Whatever goes wrong with one event must not hold up the others. */
function asProblem(error: unknown): { code: string; message: string } {
  const { code, message } = error as { code?: unknown; message?: unknown }
  return { code: typeof code === 'string' ? code : 'failed', message: String(message ?? error) }
}

export interface EventIntakeConfig {
  context: Pick<CoreNodeContext, 'pool' | 'logger' | 'inbox' | 'fileStore'>
  fetcher: ContentFetcher
}

/**
 * Takes the messages of contract events into the inbox, each with its transaction (protocol 04 §18). An event stays
 * until all its messages are durable; one that cannot be read is put aside with the reason and tried again.
 */
export class EventIntake {
  readonly #config: EventIntakeConfig
  readonly #stopping = new AbortController()
  #wake = Promise.withResolvers<void>()
  #loop: Promise<void> | undefined

  constructor(config: EventIntakeConfig) {
    this.#config = config
  }

  start(): void {
    this.#loop ??= this.#run()
  }

  /** There may be new events. */
  wake(): void {
    this.#wake.resolve()
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    this.wake()
    await this.#loop
  }

  async #run(): Promise<void> {
    while (!this.#stopping.signal.aborted) {
      try {
        if (await this.#next()) continue
      } catch (error) {
        if (this.#stopping.signal.aborted) return
        this.#config.context.logger.warn({ err: error }, 'events of contracts cannot be taken in now')
      }
      const timer = setTimeout(() => this.wake(), pollMs)
      await this.#wake.promise
      clearTimeout(timer)
      this.#wake = Promise.withResolvers()
    }
  }

  /** @returns whether there was an event to look at */
  async #next(): Promise<boolean> {
    const { rows } = await this.#config.context.pool.query<EventRow>(
      `select * from contract_events where not settled and next_attempt <= now()
       order by next_attempt, chain, block_number, position limit $1`,
      [atOnce],
    )
    const takings = await Promise.allSettled(rows.map((event) => this.#take(event)))
    for (const taking of takings) if (taking.status === 'rejected') throw taking.reason
    return rows.length > 0
  }

  async #take(event: EventRow): Promise<void> {
    const { pool, inbox, logger } = this.#config.context
    const key = [event.chain, event.stream, event.block_number, event.position]
    const where = 'chain = $1 and stream = $2 and block_number = $3 and position = $4'
    try {
      const messages = await this.#messagesOf(event)
      for (let start = 0; start < messages.length; start += largestPart) {
        const part = messages.slice(start, start + largestPart)
        await Promise.all(
          part.map((message) =>
            inbox.accept(message, {
              door: 'chain',
              txHash: event.tx_hash,
              writtenByContract: event.protocol === 'smart-contract',
            }),
          ),
        )
      }
      await pool.query(
        `update contract_events set settled = true, problem_code = null, problem = null where ${where}`,
        key,
      )
    } catch (error) {
      if (isDatabaseAway(error)) throw error
      const seconds =
        error instanceof BatchArchiveError
          ? quarantineSeconds
          : Math.min(2 ** event.attempts, longestPauseSeconds)
      logger.warn({ err: error, tx_hash: event.tx_hash }, 'a batch cannot be read now')
      const { code, message } = asProblem(error)
      await pool.query(
        `update contract_events set attempts = attempts + 1, problem_code = $5, problem = $6,
           next_attempt = now() + make_interval(secs => $7) where ${where}`,
        [...key, code, message.slice(0, 1_000), seconds],
      )
    }
  }

  async #messagesOf(event: EventRow): Promise<unknown[]> {
    const messages = await this.#unlimitedMessagesOf(event)
    if (messages.length > mostMessages) {
      throw new BatchArchiveError(`The batch holds ${messages.length} messages, more than ${mostMessages}`)
    }
    return messages
  }

  async #unlimitedMessagesOf(event: EventRow): Promise<unknown[]> {
    switch (`${event.protocol} ${event.protocol_version}`) {
      case 'smart-contract 1': {
        const said = event.content as { type: string; content: string; address?: string }
        const { type, content, address: sender = event.publisher } = said
        const time = event.datetime.getTime() / 1000
        return [contractEnvelope({ chain: event.chain, sender, time, type, content })]
      }
      case 'aleph 1':
        return batchMessages(event.content)
      case 'aleph-offchain 1':
        return readBatchArchive(await this.#archive(event))
      default:
        throw new BatchArchiveError(`Unknown protocol ${event.protocol}, version ${event.protocol_version}`)
    }
  }

  /** The text of an archive, which is kept from then on. */
  async #archive({ content, tx_hash, datetime, publisher }: EventRow): Promise<string> {
    const { context, fetcher } = this.#config
    const { fileStore, pool } = context
    const kind = typeof content === 'string' ? classifyHash(content) : null
    if (kind !== 'storage' && kind !== 'ipfs') throw new BatchArchiveError('content: not the hash of a file')
    const hash = content as string
    if (!(await fileStore.has(hash))) {
      const found = await fetcher.fetch(hash, kind, {
        maxBytes: mostArchiveBytes,
        signal: this.#stopping.signal,
      })
      if (found !== 'stored') throw new ArchiveUnavailableError(`Nobody has the archive ${hash} now`)
    }
    const found = await fileStore.stat(hash)
    if (!found) throw new ArchiveUnavailableError(`The archive ${hash} is not here`)
    if (found.type === 'dir') throw new BatchArchiveError(`The archive ${hash} is a folder`)
    const { size } = found
    if (size > mostArchiveBytes)
      throw new BatchArchiveError(`The archive has ${size} bytes, too many to read`)
    await insertFiles(pool, [{ hash, size }])
    await pool.query(
      `insert into file_pins (file_hash, type, owner, item_hash, created) values ($1, 'tx', $2, $3, $4)
       on conflict (item_hash, type) do nothing`,
      [hash, publisher, tx_hash, datetime.getTime() / 1000],
    )
    const bytes = await fileStore.readBytes(hash)
    if (!bytes) throw new ArchiveUnavailableError(`The archive ${hash} is not here`)
    return new TextDecoder().decode(bytes)
  }
}
