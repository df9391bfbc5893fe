import type { NetworkProfile } from '../profile/network-profile.ts'

export interface Clocks {
  /** What the sender wrote: `content.time`, epoch seconds. */
  contentTime: number
  /** Time of the earliest block that carries the message, epoch seconds; null while no chain does. */
  firstConfirmedAt: number | null
}

/**
 * The time at which a message counts as published: what cut-offs, permissions, payments and the credit ledger go by
 * (protocol 02 §7, §20.2).
 *
 * A chain's word bounds the sender's: never later than the first confirmation, and never more than the network's
 * `backdatingSeconds` earlier. In between the sender's own time holds, so that a confirmation, which covers a whole
 * batch, does not shuffle its messages nor put them behind others that wait for theirs. An unconfirmed message never
 * reaches back beyond `unconfirmedNotBefore`.
 */
export function effectiveTime(
  { contentTime, firstConfirmedAt }: Clocks,
  profile: Pick<NetworkProfile, 'clocks'>,
): number {
  const { backdatingSeconds, unconfirmedNotBefore } = profile.clocks
  if (firstConfirmedAt === null) return Math.max(contentTime, unconfirmedNotBefore ?? 0)
  return Math.min(Math.max(contentTime, firstConfirmedAt - backdatingSeconds), firstConfirmedAt)
}
