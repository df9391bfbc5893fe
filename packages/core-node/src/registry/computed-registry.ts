import {
  applyRegistryEvent,
  type CorechannelAggregate,
  cloneRegistry,
  corechannelSchema,
  type Ignored,
  type OperationEvent,
  publishedRegistry,
  type RegistryState,
  sha256Hex,
} from '@aleph-ts/protocol'
import type { CoreNodeContext } from '../context.ts'
import type { ProcessedMessage } from '../events.ts'
import { takeRegistryChanges } from './registry-changes.ts'
import { type FoldedRegistry, RegistryFold } from './registry-fold.ts'
import type { IgnoredPost } from './registry-posts.ts'

export type ComputedRegistryContext = Pick<CoreNodeContext, 'profile' | 'pool' | 'events' | 'logger'>

/** The registry as this node has computed it. */
export interface RegistryView {
  corechannel: CorechannelAggregate
  /** The same as it is published (protocol 06 §2.7). */
  published: ReturnType<typeof publishedRegistry>
  /** sha256 over `published`. */
  digest: string
  /** Last block that was read. */
  height: number
  /** Posts that have no effect, with the reason, in the order they were looked at. */
  ignored: readonly IgnoredPost[]
}

/** Many messages in a row make one computation, ms. */
const settleMs = 20
/** The share of its time that a node may spend on this: a pause is so many times as long as the computation before. */
const pauseFactor = 10
/** Changes that nobody called out, such as confirmations, are looked for this often, ms. */
const periodMs = 1_000

const registryTypes: ReadonlySet<unknown> = new Set([
  'corechan-operation',
  'aleph-scoring-scores',
  'balances-update',
  'amend',
])

/** Computes the registry of nodes from posts and balances, and again whenever one of them changes. */
export class ComputedRegistry {
  readonly #context: ComputedRegistryContext
  readonly #fold: RegistryFold
  readonly #onChange: () => void
  #view: RegistryView | null = null
  #state: RegistryState | null = null
  #timer: NodeJS.Timeout | undefined
  #pauseUntil = 0
  #isCurrent = false
  #stopped = false
  #work: Promise<void> = Promise.resolve()

  constructor(context: ComputedRegistryContext, onChange: () => void) {
    this.#context = context
    this.#fold = new RegistryFold(context.profile)
    this.#onChange = onChange
  }

  start(): void {
    const { events } = this.#context
    events.on('processed', this.#onProcessed)
    events.on('forgotten', this.#onForgotten)
    this.#schedule(0)
  }

  async stop(): Promise<void> {
    this.#stopped = true
    clearTimeout(this.#timer)
    this.#context.events.off('processed', this.#onProcessed)
    this.#context.events.off('forgotten', this.#onForgotten)
    await this.#work
  }

  /** The newest computation; null before the first. */
  get view(): RegistryView | null {
    return this.#view
  }

  /** Balances or confirmations may have changed. */
  wake(): void {
    this.#schedule(settleMs)
  }

  /** Computes now what has changed so far. */
  refresh(): Promise<void> {
    this.#work = this.#work.then(() => this.#compute())
    return this.#work
  }

  /** Why an operation would have no effect now; null when it would have one, undefined before the first computation. */
  check(
    operation: Pick<OperationEvent, 'address' | 'action' | 'ref' | 'details'>,
  ): Ignored | null | undefined {
    if (!this.#state) return undefined
    const event = {
      ...operation,
      kind: 'operation',
      height: this.#view!.height,
      time: 0,
      itemHash: '',
    } as const
    return applyRegistryEvent(cloneRegistry(this.#state), event, this.#context.profile.registry)
  }

  /** Runs something with the fold while it stands still, and is current: views of the past share its checkpoints. */
  exclusively<T>(work: (fold: RegistryFold) => Promise<T>): Promise<T> {
    const done = this.refresh().then(() => work(this.#fold))
    this.#work = done.then(
      () => undefined,
      () => undefined,
    )
    return done
  }

  readonly #onProcessed = (batch: ProcessedMessage[]): void => {
    const matters = batch.some(
      ({ type, content }) => type === 'POST' && registryTypes.has((content as { type?: unknown }).type),
    )
    if (matters) this.wake()
  }

  readonly #onForgotten = (batch: { type: string }[]): void => {
    if (batch.some(({ type }) => type === 'POST')) this.wake()
  }

  #schedule(delayMs: number): void {
    if (this.#stopped) return
    clearTimeout(this.#timer)
    const pauseMs = this.#pauseUntil - performance.now()
    this.#timer = setTimeout(() => void this.#round(), Math.max(delayMs, pauseMs, 0))
  }

  async #round(): Promise<void> {
    await this.refresh()
    this.#schedule(periodMs)
  }

  async #compute(): Promise<void> {
    const { pool, logger } = this.#context
    const started = performance.now()
    try {
      // Taken before anything is read: what changes from now on is noted for the next time.
      const changed = await takeRegistryChanges(pool)
      if (changed !== null) {
        this.#isCurrent = false
        this.#fold.invalidate(changed)
      }
      if (this.#isCurrent) return
      this.#take(await this.#fold.fold(pool))
      this.#isCurrent = true
    } catch (error) {
      // What was taken is not applied: everything is looked at again.
      this.#isCurrent = false
      this.#fold.invalidate(0)
      logger.warn({ err: error }, 'the registry could not be computed; trying again')
    } finally {
      this.#pauseUntil = performance.now() + (performance.now() - started) * pauseFactor
    }
  }

  #take({ state, height, ignored }: FoldedRegistry): void {
    const published = publishedRegistry(state)
    const digest = sha256Hex(JSON.stringify(published))
    const isNew = digest !== this.#view?.digest
    const corechannel = isNew ? corechannelSchema.parse(published) : this.#view!.corechannel
    this.#state = state
    this.#view = { corechannel, published, digest, height, ignored }
    if (isNew) this.#onChange()
  }
}
