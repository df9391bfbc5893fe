import { type CapacityReport, capacityReportPostType, schedulerChannel } from '@aleph-ts/protocol'
import type { CoreNodeContext } from '../context.ts'
import type { OperatorKey } from '../operator-key.ts'
import { publishOwnMessage } from '../own-message.ts'

/** Reports of one node are not published more often than this, whatever it says, ms. */
const leastPauseMs = 60_000

/** Publishes for our compute nodes what they can carry, whenever that is other than what the network believes. */
export class ReportPublisher {
  readonly #context: Pick<CoreNodeContext, 'inbox' | 'fileStore'>
  readonly #key: OperatorKey
  readonly #sent = new Map<string, { json: string; at: number }>()

  constructor(context: Pick<CoreNodeContext, 'inbox' | 'fileStore'>, key: OperatorKey) {
    this.#context = context
    this.#key = key
  }

  /**
   * @param observed what our nodes say now, by hash
   * @param believed what the state says of them
   * @throws {InboxUnavailableError}
   */
  async publish(
    observed: ReadonlyMap<string, CapacityReport>,
    believed: ReadonlyMap<string, CapacityReport>,
  ): Promise<void> {
    for (const [hash, report] of observed) {
      // Both were read by one schema, so equal reports are equal text.
      const json = JSON.stringify(report)
      const sent = this.#sent.get(hash)
      if (json === JSON.stringify(believed.get(hash)) || sent?.json === json) continue
      if (sent && Date.now() - sent.at < leastPauseMs) continue
      this.#sent.set(hash, { json, at: Date.now() })
      await publishOwnMessage(this.#context, this.#key, {
        type: 'POST',
        channel: schedulerChannel,
        content: { type: capacityReportPostType, ref: hash, content: report },
      })
    }
  }
}
