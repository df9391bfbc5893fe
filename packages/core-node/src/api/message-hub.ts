import { sql } from 'kysely'
import type { CoreNodeContext } from '../context.ts'
import type { Database } from '../database/schema.ts'
import type { ProcessedMessage } from '../events.ts'
import type { FilteredColumns } from './message-filter.ts'
import { type ContentFormat, messageJson } from './message-shape.ts'

/** A message that has just been processed, read back once for everybody who follows. */
export interface LiveMessage {
  row: FilteredColumns & Pick<Database['messages'], 'seq'>
  /** The message in a format that some listener asked for. */
  body(format: ContentFormat): string
}

export interface HubListener {
  format: ContentFormat
  onMessage(message: LiveMessage): void
}

const formats = ['full', 'headers', 'none'] as const

/** Reads every processed batch back from the database once and hands it to all who follow messages. */
export class MessageHub {
  readonly #context: Omit<CoreNodeContext, never>
  readonly #listeners = new Set<HubListener>()
  #work: Promise<void> = Promise.resolve()

  constructor(context: CoreNodeContext) {
    this.#context = context
  }

  start(): void {
    this.#context.events.on('processed', this.#onProcessed)
  }

  stop(): void {
    this.#context.events.off('processed', this.#onProcessed)
  }

  add(listener: HubListener): void {
    this.#listeners.add(listener)
  }

  remove(listener: HubListener): void {
    this.#listeners.delete(listener)
  }

  readonly #onProcessed = (batch: ProcessedMessage[]): void => {
    if (this.#listeners.size === 0) return
    const hashes = batch.map((message) => message.item_hash)
    this.#work = this.#work
      .then(() => this.#deliver(hashes))
      .catch((error) => this.#context.logger.warn({ err: error }, 'a batch was not sent to the feeds'))
  }

  async #deliver(hashes: string[]): Promise<void> {
    const wanted = formats.filter((format) => [...this.#listeners].some((each) => each.format === format))
    const { db, pool } = this.#context
    const query = db
      .selectFrom('messages as m')
      .where(sql<boolean>`m.item_hash = any(${hashes})`)
      .selectAll('m')
      .select(wanted.map((format) => messageJson(format).as(`body_${format}`)))
      .orderBy('m.seq')
      .compile()
    // Named, so that it is planned once and not for every batch.
    const name = `feed-${wanted.join('-')}`
    const { rows } = await pool.query({ name, text: query.sql, values: [...query.parameters] })
    for (const row of rows) {
      const bodies = row as unknown as Record<string, string>
      const message = {
        row: row as unknown as LiveMessage['row'],
        body: (format: ContentFormat) => bodies[`body_${format}`]!,
      }
      for (const listener of this.#listeners) {
        if (wanted.includes(listener.format)) listener.onMessage(message)
      }
    }
  }
}
