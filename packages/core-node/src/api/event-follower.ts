import type { ServerResponse } from 'node:http'
import { type Kysely, type SqlBool, sql } from 'kysely'
import type { Database } from '../database/schema.ts'
import { aggregateJson } from './aggregate-routes.ts'
import { type MessageFilter, matchesFilter, matchingMessages } from './message-filter.ts'
import type { HubListener, LiveMessage } from './message-hub.ts'
import { type ContentFormat, messageJson } from './message-shape.ts'
import { loadPost } from './post-routes.ts'

/** Rows read at once while a follower catches up. */
const pageSize = 100
/** What may wait in the connection before reading stops, bytes. */
const mostBuffered = 256 * 1024

export interface FollowOptions {
  db: Kysely<Database>
  stream: ServerResponse
  topics: ReadonlySet<string>
  filter: MessageFilter
  format: ContentFormat
  /** Position in the log after which events are wanted. */
  after: bigint
  onError: (error: unknown) => void
}

/**
 * One client that follows the log of processed messages. It always reads the log from where it stands, so a slow client
 * costs no memory and one that comes back misses nothing.
 */
export class EventFollower {
  readonly listener: HubListener
  readonly #options: FollowOptions
  #position: bigint
  #reading = false
  #again = false
  #closed = false

  constructor(options: FollowOptions) {
    this.#options = options
    this.#position = options.after
    this.listener = { format: 'none', onMessage: (message) => this.#onMessage(message) }
  }

  /** Reads on from where it stands. */
  wake(): void {
    if (this.#closed) return
    if (this.#reading) {
      this.#again = true
      return
    }
    this.#reading = true
    void this.#readOn()
      .catch((error) => {
        if (!this.#closed) this.#options.onError(error)
      })
      .finally(() => {
        this.#reading = false
      })
  }

  /** Sends an event that is no part of the log. */
  send(name: string, data: string): void {
    if (this.#closed || this.#options.stream.writableLength > mostBuffered) return
    this.#options.stream.write(`event: ${name}\ndata: ${data}\n\n`)
  }

  heartbeat(): void {
    if (!this.#closed && this.#options.stream.writableLength === 0) this.#options.stream.write(':\n\n')
  }

  close(): void {
    this.#closed = true
  }

  #onMessage({ row }: LiveMessage): void {
    const isWanted = this.#isWanted(row.type) && matchesFilter(this.#options.filter, row)
    if (isWanted) this.wake()
    else if (!this.#reading && this.#position + 1n === row.seq) this.#position = row.seq
  }

  #isWanted(type: string): boolean {
    const { topics } = this.#options
    return topics.has('message') || topics.has(type.toLowerCase())
  }

  async #readOn(): Promise<void> {
    do {
      this.#again = false
      while (!this.#closed && (await this.#readPage()));
    } while (this.#again && !this.#closed)
  }

  /** @returns whether there may be more */
  async #readPage(): Promise<boolean> {
    const { db, topics, filter, format } = this.#options
    const types = ['POST', 'AGGREGATE'].filter((type) => topics.has(type.toLowerCase()))
    const newest = await newestPosition(db)
    let rows = db
      .selectFrom('messages as m')
      .where('m.seq', '>', this.#position)
      .where('m.seq', '<=', newest)
      .where(matchingMessages(filter))
    if (!topics.has('message')) rows = rows.where(sql<SqlBool>`m.type = any(${types})`)
    const found = await rows
      .select(['m.seq', 'm.item_hash', 'm.type', 'm.owner', 'm.content_key'])
      .select(messageJson(format).as('body'))
      .orderBy('m.seq')
      .limit(pageSize)
      .execute()
    for (const row of found) {
      if (this.#closed) return false
      await this.#write(row.seq, await this.#eventsOf(row))
      this.#position = row.seq
    }
    if (found.length === pageSize) return true
    if (newest > this.#position) this.#position = newest
    return false
  }

  async #eventsOf(row: {
    item_hash: string
    type: string
    owner: string
    content_key: string | null
    body: string
  }): Promise<[string, string][]> {
    const { db, topics } = this.#options
    const events: [string, string][] = topics.has('message') ? [['message', row.body]] : []
    if (row.type === 'POST' && topics.has('post')) {
      const post = await loadPost(db, row.item_hash)
      if (post) events.push(['post', post])
    }
    if (row.type === 'AGGREGATE' && topics.has('aggregate')) {
      const aggregate = await db
        .selectFrom('aggregates')
        .where('owner', '=', row.owner)
        .where('key', '=', row.content_key ?? '')
        .select(['owner', 'key', 'created', 'last_updated', sql<string>`content::text`.as('content')])
        .executeTakeFirst()
      if (aggregate) events.push(['aggregate', aggregateJson(aggregate)])
    }
    return events
  }

  /** Only the last event of a message carries the id: who is cut off before gets them all again. */
  async #write(seq: bigint, events: [string, string][]): Promise<void> {
    const { stream } = this.#options
    const text = events
      .map(([name, data], index) => {
        const id = index === events.length - 1 ? `id: ${seq}\n` : ''
        return `${id}event: ${name}\ndata: ${data}\n\n`
      })
      .join('')
    if (text === '' || stream.write(text) || this.#closed) return
    await new Promise<void>((resolve) => {
      const done = () => {
        stream.off('drain', done).off('close', done)
        resolve()
      }
      stream.on('drain', done).on('close', done)
    })
  }
}

/** The end of the log. */
export async function newestPosition(db: Kysely<Database>): Promise<bigint> {
  const row = await db.selectFrom('messages').select('seq').orderBy('seq', 'desc').limit(1).executeTakeFirst()
  return row?.seq ?? 0n
}
