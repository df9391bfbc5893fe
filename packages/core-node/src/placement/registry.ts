import { type CorechannelAggregate, corechannelSchema, toChecksumAddress } from '@aleph-ts/protocol'
import type { CoreNodeContext } from '../context.ts'
import type { ProcessedMessage } from '../events.ts'
import { peerIdOf } from '../gossip/peer-address.ts'

export type RegistryContext = Pick<CoreNodeContext, 'profile' | 'pool' | 'events' | 'logger'>

/**
 * Who belongs to the network: the newest `corechannel` aggregate (protocol 06 §2.7), kept in memory and read again
 * whenever it changes.
 */
export class Registry {
  readonly #context: RegistryContext
  readonly #listeners = new Set<() => void>()
  #corechannel: CorechannelAggregate | null = null
  #peerIds: ReadonlySet<string> = new Set()
  #loading: Promise<void> = Promise.resolve()

  constructor(context: RegistryContext) {
    this.#context = context
  }

  async start(): Promise<void> {
    this.#context.events.on('processed', this.#onProcessed)
    await this.reload()
  }

  async stop(): Promise<void> {
    this.#context.events.off('processed', this.#onProcessed)
    this.#listeners.clear()
    await this.#loading
  }

  /** The registered nodes; `null` while no registry was published. */
  get corechannel(): CorechannelAggregate | null {
    return this.#corechannel
  }

  /** Peer ids that core nodes are registered with. */
  get peerIds(): ReadonlySet<string> {
    return this.#peerIds
  }

  /** Calls back after every change of the registry, until {@link stop}. */
  onChange(listener: () => void): void {
    this.#listeners.add(listener)
  }

  /** Reads the registry from the state; concurrent calls run one after the other. */
  reload(): Promise<void> {
    this.#loading = this.#loading.then(() => this.#load())
    return this.#loading
  }

  readonly #onProcessed = (batch: ProcessedMessage[]): void => {
    const { corechannel } = this.#context.profile.addresses
    const touched = batch.some(
      (message) =>
        message.type === 'AGGREGATE' &&
        message.owner.toLowerCase() === corechannel.toLowerCase() &&
        (message.content as { key?: unknown }).key === 'corechannel',
    )
    if (touched) void this.reload()
  }

  async #load(): Promise<void> {
    const { pool, profile, logger } = this.#context
    try {
      const { rows } = await pool.query<{ content: unknown }>(
        `select content from aggregates where owner = any($1) and key = 'corechannel'
         order by last_updated desc limit 1`,
        [spellings(profile.addresses.corechannel)],
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
      this.#peerIds = new Set(parsed.data.nodes.flatMap((node) => peerIdOf(node.multiaddress ?? '') ?? []))
    } catch (error) {
      logger.warn({ err: error }, 'could not read the registry; keeping what was known')
      return
    }
    for (const listener of this.#listeners) listener()
  }
}

/** The ways an EVM address may be written in stored messages. */
function spellings(address: string): string[] {
  return [...new Set([address, address.toLowerCase(), toChecksumAddress(address)])]
}
