import type { CoreNodeContext } from '../context.ts'
import { inTransaction } from '../database/pool.ts'
import type { ProcessWorker } from '../pipeline/process-worker.ts'
import { reviewRefusedHolders } from '../state/removals.ts'
import { reviewAccounts } from './review-accounts.ts'

const usualSeconds = 3600

/** Suspends what is not paid for any more, and brings back what is paid again; usually once an hour (protocol 02 §15). */
export class RemovalJobs {
  readonly #context: Pick<CoreNodeContext, 'config' | 'pool' | 'profile' | 'events' | 'logger'>
  readonly #worker: Pick<ProcessWorker, 'exclusively' | 'reconsider'>
  #timer: NodeJS.Timeout | undefined
  #running: Promise<void> = Promise.resolve()

  constructor(
    context: Pick<CoreNodeContext, 'config' | 'pool' | 'profile' | 'events' | 'logger'>,
    worker: Pick<ProcessWorker, 'exclusively' | 'reconsider'>,
  ) {
    this.#context = context
    this.#worker = worker
  }

  start(): void {
    const periodMs = (this.#context.config.reviewSeconds ?? usualSeconds) * 1000
    this.#timer = setInterval(() => {
      this.#running = this.run().catch((error) => {
        this.#context.logger.warn(
          { err: error },
          'balances were not compared with costs; trying again next time',
        )
      })
    }, periodMs)
    this.#timer.unref()
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer)
    await this.#running
  }

  /** One round over all accounts. */
  async run(now = new Date()): Promise<void> {
    const { pool, profile, events } = this.#context
    const reviews = await this.#worker.exclusively(() =>
      inTransaction(pool, async (tx) => {
        await reviewRefusedHolders(tx)
        return [
          await reviewAccounts(tx, 'hold', profile, now),
          await reviewAccounts(tx, 'credit', profile, now),
        ]
      }),
    )
    this.#worker.reconsider()
    const removing = reviews.flatMap((review) => review.removing)
    const recovered = reviews.flatMap((review) => review.recovered)
    if (removing.length > 0) events.emit('removing', removing)
    if (recovered.length > 0) events.emit('recovered', recovered)
  }
}
