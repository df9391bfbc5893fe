import type { CoreNodeContext } from '../context.ts'
import { inTransaction } from '../database/pool.ts'
import type { ProcessWorker } from '../pipeline/process-worker.ts'
import { takeTombstones } from '../pipeline/take-tombstones.ts'
import type { Tombstone } from '../state/tombstones.ts'

/**
 * Learns of forgotten messages whose content was erased everywhere. Their signature shows that they were sent; what they
 * said cannot be checked any more, so only members of the network are believed, and only about what a FORGET names.
 */
export class ErasedMessages {
  readonly #context: Pick<CoreNodeContext, 'pool' | 'verifier' | 'logger'>
  readonly #worker: Pick<ProcessWorker, 'exclusively' | 'reconsider'>
  readonly isTrusted: (peerId: string) => boolean

  constructor(
    context: Pick<CoreNodeContext, 'pool' | 'verifier' | 'logger'>,
    worker: Pick<ProcessWorker, 'exclusively' | 'reconsider'>,
    isTrusted: (peerId: string) => boolean,
  ) {
    this.#context = context
    this.#worker = worker
    this.isTrusted = isTrusted
  }

  /** Takes those in that were signed by their senders and that are not known here. */
  async take(tombstones: Tombstone[]): Promise<void> {
    const { pool, logger } = this.#context
    const signed = await Promise.all(tombstones.map((tombstone) => this.#isSigned(tombstone)))
    const genuine = tombstones.filter((_, index) => signed[index])
    if (genuine.length < tombstones.length) {
      logger.warn({ count: tombstones.length - genuine.length }, 'erased messages of nobody were not taken')
    }
    if (genuine.length === 0) return
    await this.#worker.exclusively(() => inTransaction(pool, (tx) => takeTombstones(tx, genuine)))
    this.#worker.reconsider()
  }

  /** Contracts do not sign: a chain has to vouch for what has no signature. */
  async #isSigned(tombstone: Tombstone): Promise<boolean> {
    if (tombstone.signature === null) return true
    return (await this.#context.verifier.verify(tombstone)).outcome === 'valid'
  }
}
