import type { Envelope } from '@aleph-ts/protocol'
import type { CoreNodeContext } from '../context.ts'
import { NotificationListener } from '../database/notification-listener.ts'
import type { CoreEventMap } from '../events.ts'
import type { PlacementEvent, PlacementHistory } from '../placement/placement-history.ts'
import { saveNodeCard } from './node-card.ts'
import { inboxChannel, notify, placementNotices, stateChannel, stateNotices } from './notices.ts'

/** What the processing node tells about itself is renewed this often, ms. */
const cardMs = 5_000
/** Messages announced at once after a lost connection. */
const mostUnannounced = 10_000

/**
 * The processing node's side of a node of several processes: hears from API processes that messages came in, and tells
 * them what became of the state.
 */
export class ProcessingSide {
  readonly #context: Pick<CoreNodeContext, 'pool' | 'events' | 'inbox' | 'logger' | 'metrics'>
  readonly #listener: NotificationListener
  readonly #onArrivals: () => void
  readonly #multiaddrs: () => string[]
  readonly #placementEvents: PlacementHistory['events']
  #timer: NodeJS.Timeout | undefined
  #saying: Promise<void> = Promise.resolve()

  constructor(
    context: Pick<CoreNodeContext, 'pool' | 'events' | 'inbox' | 'logger' | 'metrics'>,
    options: {
      connectionString: string
      /** Wakes the pipeline. */
      onArrivals: () => void
      multiaddrs: () => string[]
      placementEvents: PlacementHistory['events']
    },
  ) {
    this.#context = context
    this.#onArrivals = options.onArrivals
    this.#multiaddrs = options.multiaddrs
    this.#placementEvents = options.placementEvents
    this.#listener = new NotificationListener({
      connectionString: options.connectionString,
      channel: inboxChannel,
      logger: context.logger,
      onConnected: () => void this.#onInbox(),
      onMessage: (payload) => void this.#onInbox(JSON.parse(payload)),
    })
  }

  async start(): Promise<void> {
    const { events } = this.#context
    events.on('processed', this.#onProcessed)
    events.on('rejected', this.#onRejected)
    events.on('retry', this.#onRetry)
    events.on('forgotten', this.#onForgotten)
    this.#placementEvents.on('event', this.#onPlacement)
    await this.#listener.start()
    await this.#saveCard()
    this.#timer = setInterval(() => void this.#saveCard(), cardMs)
  }

  async stop(): Promise<void> {
    const { events } = this.#context
    clearInterval(this.#timer)
    events.off('processed', this.#onProcessed)
    events.off('rejected', this.#onRejected)
    events.off('retry', this.#onRetry)
    events.off('forgotten', this.#onForgotten)
    this.#placementEvents.off('event', this.#onPlacement)
    await this.#listener.stop()
    await this.#saying
  }

  /** Without hashes: whatever came while nobody listened. */
  async #onInbox(hashes?: string[]): Promise<void> {
    const { inbox, events, logger } = this.#context
    this.#onArrivals()
    try {
      await inbox.countPending()
      const envelopes: Envelope[] = await inbox.unannounced(mostUnannounced, hashes)
      // Gossip spreads them like those of our own door.
      if (envelopes.length > 0) events.emit('accepted', envelopes)
    } catch (error) {
      logger.warn({ err: error }, 'messages of another process are announced later')
    }
  }

  readonly #onProcessed = (): void => this.#say(['{"event":"processed"}'])
  readonly #onRejected = (batch: CoreEventMap['rejected'][0]): void =>
    this.#say(stateNotices('rejected', batch))
  readonly #onRetry = (batch: CoreEventMap['retry'][0]): void => this.#say(stateNotices('retry', batch))
  readonly #onForgotten = (batch: CoreEventMap['forgotten'][0]): void =>
    this.#say(stateNotices('forgotten', batch))
  readonly #onPlacement = (event: PlacementEvent): void => this.#say(placementNotices(event))

  /** In order; who does not hear it finds it in the database. */
  #say(payloads: string[]): void {
    const { pool, logger } = this.#context
    this.#saying = this.#saying
      .then(() => notify(pool, stateChannel, payloads))
      .catch((error) => logger.warn({ err: error }, 'API processes were not told of a change'))
  }

  async #saveCard(): Promise<void> {
    const { pool, metrics, logger } = this.#context
    await saveNodeCard(pool, { multiaddrs: this.#multiaddrs(), chain: metrics.chainProgress }).catch(
      (error) => logger.warn({ err: error }, 'API processes were not told about this node'),
    )
  }
}
