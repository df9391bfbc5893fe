import { type Allocation, allocationsKey } from '@aleph-ts/protocol'
import type { OperatorMessages } from './operator-messages.ts'

/** Entries of one message: well below the limit of inline content. */
const maxEntries = 400

/**
 * Publishes this node's claims as changes to its owner's `allocations` aggregate (protocol 06 §8.5); they are durable in
 * our own inbox then.
 *
 * @throws {InboxUnavailableError} when they could not be stored
 */
export async function publishClaims(
  messages: OperatorMessages,
  changes: Iterable<[string, Allocation | null]>,
): Promise<void> {
  const entries = [...changes]
  for (let start = 0; start < entries.length; start += maxEntries) {
    const content = Object.fromEntries(entries.slice(start, start + maxEntries))
    await messages.publish('AGGREGATE', { key: allocationsKey, content })
  }
}
