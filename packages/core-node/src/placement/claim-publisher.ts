import { type Allocation, allocationsKey, schedulerChannel } from '@aleph-ts/protocol'
import type { CoreNodeContext } from '../context.ts'
import type { OperatorKey } from '../operator-key.ts'
import { publishOwnMessage } from '../own-message.ts'

/** Entries of one message: well below the limit of inline content. */
const maxEntries = 400

/**
 * Publishes this node's claims as changes to the key's `allocations` aggregate (protocol 06 §8.5); they are durable in
 * our own inbox then.
 *
 * @throws {InboxUnavailableError} when they could not be stored
 */
export async function publishClaims(
  context: Pick<CoreNodeContext, 'inbox' | 'fileStore'>,
  key: OperatorKey,
  changes: Iterable<[string, Allocation | null]>,
): Promise<void> {
  const entries = [...changes]
  for (let start = 0; start < entries.length; start += maxEntries) {
    const content = Object.fromEntries(entries.slice(start, start + maxEntries))
    await publishOwnMessage(context, key, {
      type: 'AGGREGATE',
      channel: schedulerChannel,
      content: { key: allocationsKey, content },
    })
  }
}
