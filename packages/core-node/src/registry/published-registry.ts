import {
  addressKey,
  type CorechannelAggregate,
  corechannelSchema,
  toChecksumAddress,
} from '@aleph-ts/protocol'
import type { CoreNodeContext } from '../context.ts'
import type { ProcessedMessage } from '../events.ts'

export type PublishedRegistryContext = Pick<CoreNodeContext, 'profile' | 'pool' | 'events' | 'logger'>

export const corechannelKey = 'corechannel'

/** The newest `corechannel` aggregate (protocol 06 §2.7), kept in memory and read again whenever it changes. */
export class PublishedRegistry {
  readonly #context: PublishedRegistryContext
  readonly #onChange: () => void
  #corechannel: CorechannelAggregate | null = null
  #loading: Promise<void> = Promise.resolve()

  constructor(context: PublishedRegistryContext, onChange: () => void) {
    this.#context = context
    this.#onChange = onChange
  }

  async start(): Promise<void> {
    this.#context.events.on('processed', this.#onProcessed)
    await this.reload()
  }

  async stop(): Promise<void> {
    this.#context.events.off('processed', this.#onProcessed)
    await this.#loading
  }

  /** The published nodes; `null` while nothing was published. */
  get corechannel(): CorechannelAggregate | null {
    return this.#corechannel
  }

  /** Reads the aggregate from the state; concurrent calls run one after the other. */
  reload(): Promise<void> {
    this.#loading = this.#loading.then(() => this.#load())
    return this.#loading
  }

  readonly #onProcessed = (batch: ProcessedMessage[]): void => {
    const publisher = addressKey('ETH', this.#context.profile.addresses.corechannel)
    const touched = batch.some(
      (message) =>
        message.type === 'AGGREGATE' &&
        addressKey('ETH', message.owner) === publisher &&
        (message.content as { key?: unknown }).key === corechannelKey,
    )
    if (touched) void this.reload()
  }

  async #load(): Promise<void> {
    const { pool, profile, logger } = this.#context
    try {
      const { rows } = await pool.query<{ content: unknown }>(
        `select content from aggregates where owner = any($1) and key = $2 order by last_updated desc limit 1`,
        [spellings(profile.addresses.corechannel), corechannelKey],
      )
      if (rows[0] === undefined) return
      const parsed = corechannelSchema.safeParse(rows[0].content)
      if (!parsed.success) {
        logger.warn(
          { problem: parsed.error.message },
          'the corechannel aggregate is malformed; keeping the last one',
        )
        return
      }
      this.#corechannel = parsed.data
    } catch (error) {
      logger.warn({ err: error }, 'could not read the registry; keeping what was known')
      return
    }
    this.#onChange()
  }
}

/** The ways an EVM address may be written in stored messages. */
function spellings(address: string): string[] {
  return [...new Set([address, address.toLowerCase(), toChecksumAddress(address)])]
}
