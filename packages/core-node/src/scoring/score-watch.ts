import { scorePostType } from '@aleph-ts/protocol'
import { Gauge, type Registry as MetricsRegistry } from 'prom-client'
import type { CoreNodeContext } from '../context.ts'
import type { ProcessedMessage } from '../events.ts'
import type { ScoreBook } from './score-book.ts'

/** The metrics posts behind scores may still be on their way when the scores arrive, ms. */
const patienceMs = 30_000

/** Computes every published scores again, and says so where they are not what observers measured. */
export class ScoreWatch {
  readonly #context: Pick<CoreNodeContext, 'events' | 'logger'>
  readonly #scores: ScoreBook
  readonly #gauge: Gauge
  #timer: NodeJS.Timeout | undefined
  #work: Promise<void> = Promise.resolve()

  constructor(
    context: Pick<CoreNodeContext, 'events' | 'logger'>,
    scores: ScoreBook,
    metrics: MetricsRegistry,
  ) {
    this.#context = context
    this.#scores = scores
    this.#gauge = new Gauge({
      name: 'aleph_core_unexplained_scores',
      help: 'Nodes whose published score is not what observers measured',
      registers: [metrics],
    })
  }

  start(): void {
    this.#context.events.on('processed', this.#onProcessed)
  }

  async stop(): Promise<void> {
    clearTimeout(this.#timer)
    this.#context.events.off('processed', this.#onProcessed)
    await this.#work
  }

  readonly #onProcessed = (batch: ProcessedMessage[]): void => {
    const isAbout = ({ type, content }: ProcessedMessage) =>
      type === 'POST' && (content as { type?: unknown }).type === scorePostType
    if (!batch.some(isAbout)) return
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => {
      this.#work = this.#check()
    }, patienceMs)
    this.#timer.unref()
  }

  async #check(): Promise<void> {
    const { logger } = this.#context
    try {
      const post = await this.#scores.latest()
      if (!post) return
      const unexplained = await this.#scores.unexplained(post)
      this.#gauge.set(unexplained.length)
      if (unexplained.length === 0) return
      const { itemHash, sender } = post
      logger.error({ itemHash, sender, nodes: unexplained.slice(0, 20) }, 'scores that nobody measured')
    } catch (error) {
      logger.warn({ err: error }, 'scores could not be checked')
    }
  }
}
