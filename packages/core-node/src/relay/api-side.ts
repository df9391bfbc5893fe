import type pg from 'pg'
import type { CoreNodeContext } from '../context.ts'
import { NotificationListener } from '../database/notification-listener.ts'
import type { CoreEventMap, ProcessedMessage, RejectedMessage, RetriedMessage } from '../events.ts'
import type { Arrival } from '../inbox/store-arrivals.ts'
import type { PlacementEvent, PlacementHistory } from '../placement/placement-history.ts'
import { loadNodeCard, type NodeCard } from './node-card.ts'
import { hashLists, inboxChannel, notify, readStateNotice, stateChannel } from './notices.ts'

/** What others tell is looked up again this often, ms. */
const lookMs = 2_000
/** Messages read from the log at once. */
const pageSize = 500

/**
 * An API process's side of a node of several processes: tells the processing node of messages that came in, and follows
 * the state, so that whoever listens to this process's events hears what the processing node did.
 */
export class ApiSide {
  readonly #context: Pick<CoreNodeContext, 'pool' | 'events' | 'inbox' | 'logger' | 'metrics'>
  readonly #listener: NotificationListener
  readonly #placementEvents: PlacementHistory['events']
  #card: NodeCard | undefined
  #position = 0n
  #timer: NodeJS.Timeout | undefined
  #work: Promise<void> = Promise.resolve()

  constructor(
    context: Pick<CoreNodeContext, 'pool' | 'events' | 'inbox' | 'logger' | 'metrics'>,
    options: {
      connectionString: string
      /** Where this process tells what happened to the places of VMs. */
      placementEvents: PlacementHistory['events']
    },
  ) {
    this.#context = context
    this.#placementEvents = options.placementEvents
    this.#listener = new NotificationListener({
      connectionString: options.connectionString,
      channel: stateChannel,
      logger: context.logger,
      onConnected: () => this.#inTurn(() => this.#readLog()),
      onMessage: (payload) => this.#inTurn(() => this.#onNotice(payload)),
    })
  }

  async start(): Promise<void> {
    const { pool, inbox } = this.#context
    const { rows } = await pool.query<{ last: bigint }>('select coalesce(max(seq), 0) as last from messages')
    this.#position = rows[0]!.last
    await this.#look()
    inbox.onStored((arrivals) => this.#tell(arrivals))
    await this.#listener.start()
    this.#timer = setInterval(() => this.#inTurn(() => this.#look()), lookMs)
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer)
    await this.#listener.stop()
    await this.#work
  }

  /** Where other nodes reach the processing node. */
  get multiaddrs(): string[] {
    return this.#card?.multiaddrs ?? []
  }

  /** The processing node looks by itself every few seconds, should it not hear this. */
  #tell(arrivals: Arrival[]): void {
    const { pool, logger } = this.#context
    notify(pool, inboxChannel, hashLists(arrivals.map(({ envelope }) => envelope.item_hash))).catch((error) =>
      logger.warn({ err: error }, 'the processing node was not told of new messages'),
    )
  }

  #inTurn(work: () => Promise<void>): void {
    this.#work = this.#work
      .then(work)
      .catch((error) => this.#context.logger.warn({ err: error }, 'the state was not followed; trying again'))
  }

  async #look(): Promise<void> {
    const { pool, inbox, metrics } = this.#context
    await inbox.countPending()
    this.#card = await loadNodeCard(pool)
    if (this.#card?.chain) metrics.noteChain(this.#card.chain)
    await this.#readLog()
  }

  async #onNotice(payload: string): Promise<void> {
    const notice = readStateNotice(payload)
    const { pool, events } = this.#context
    switch (notice.event) {
      case 'processed':
        return this.#readLog()
      case 'rejected':
        return void events.emit('rejected', await withDetails(pool, notice.items as RejectedMessage[]))
      case 'retry': {
        const items = notice.items as (Omit<RetriedMessage, 'nextAttempt'> & { nextAttempt: string })[]
        const batch = items.map((item) => ({ ...item, nextAttempt: new Date(item.nextAttempt) }))
        return void events.emit('retry', batch)
      }
      case 'placement':
        for (const item of notice.items) this.#placementEvents.emit('event', item as PlacementEvent)
        return
      case 'forgotten':
        return void events.emit('forgotten', notice.items as CoreEventMap['forgotten'][0])
    }
  }

  /** Everything that was processed since this process looked last. */
  async #readLog(): Promise<void> {
    for (;;) {
      const { rows } = await this.#context.pool.query<ProcessedMessage>(
        // Of the content, listeners look at the key and the type alone.
        `select item_hash, type, json_build_object('key', content_key, 'type', content_type) as content, sender, owner, channel, seq
         from messages where seq > $1 order by seq limit $2`,
        [this.#position, pageSize],
      )
      if (rows.length > 0) {
        this.#position = rows.at(-1)!.seq
        this.#context.events.emit('processed', rows)
      }
      if (rows.length < pageSize) return
    }
  }
}

async function withDetails(pool: pg.Pool, batch: RejectedMessage[]): Promise<RejectedMessage[]> {
  const { rows } = await pool.query<{ item_hash: string; details: unknown }>(
    'select item_hash, details from rejected_messages where item_hash = any($1)',
    [batch.map(({ item_hash }) => item_hash)],
  )
  const details = new Map(rows.map((row) => [row.item_hash, row.details]))
  return batch.map((message) => ({ ...message, details: details.get(message.item_hash) ?? null }))
}
