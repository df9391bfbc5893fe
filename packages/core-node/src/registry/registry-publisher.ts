import { isDeepStrictEqual } from 'node:util'
import type { CoreNodeContext } from '../context.ts'
import type { OperatorKey } from '../operator-key.ts'
import { publishOwnMessage } from '../own-message.ts'
import { corechannelKey } from './published-registry.ts'
import type { Registry } from './registry.ts'

export interface RegistryPublisherOptions {
  context: Pick<CoreNodeContext, 'profile' | 'inbox' | 'fileStore' | 'logger'>
  registry: Registry
  /** The key of the profile's `addresses.corechannel`. */
  key: OperatorKey
}

/** Several changes in a row are published once, ms. */
const pauseMs = 500
/** The same registry is published again only after this long, should the first message have been lost, ms. */
const patienceMs = 60_000

/**
 * Publishes the computed registry as the `corechannel` aggregate whenever it changes (protocol 06 §2.7), for clients
 * and nodes that do not compute it.
 */
export class RegistryPublisher {
  readonly #options: RegistryPublisherOptions
  #sent = { digest: '', at: 0 }
  #timer: NodeJS.Timeout | undefined
  #stopped = false
  #work: Promise<void> = Promise.resolve()

  constructor(options: RegistryPublisherOptions) {
    this.#options = options
  }

  start(): void {
    this.#options.registry.onChange(() => this.#wake(pauseMs))
    this.#wake(0)
  }

  async stop(): Promise<void> {
    this.#stopped = true
    clearTimeout(this.#timer)
    await this.#work
  }

  #wake(delayMs: number): void {
    if (this.#stopped) return
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => {
      this.#work = this.#publish()
    }, delayMs)
  }

  async #publish(): Promise<void> {
    const { context, registry, key } = this.#options
    const { view, published } = registry
    if (!view || isDeepStrictEqual(published, view.corechannel)) return
    const now = performance.now()
    if (this.#sent.digest === view.digest && now - this.#sent.at < patienceMs) {
      this.#wake(patienceMs)
      return
    }
    this.#sent = { digest: view.digest, at: now }
    try {
      await publishOwnMessage(context, key, {
        type: 'AGGREGATE',
        channel: context.profile.channels.registry,
        content: { key: corechannelKey, content: view.published },
      })
    } catch (error) {
      context.logger.warn({ err: error }, 'the registry could not be published; trying again')
      this.#sent.digest = ''
      this.#wake(1_000)
    }
  }
}
