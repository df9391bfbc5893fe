/**
 * A border between two messages in the order of reconciliation, by time (whole microseconds), then by digest. `prefix`
 * are the first bytes of a digest; zeros follow.
 */
export interface Bound {
  time: number
  prefix: Uint8Array
}

const none = new Uint8Array()

export const beginning: Bound = { time: 0, prefix: none }
/** After every message. */
export const end: Bound = { time: Number.POSITIVE_INFINITY, prefix: none }

/** Negative when `a` is before `b`. */
export function compareBounds(a: Bound, b: Bound): number {
  if (a.time !== b.time) return a.time < b.time ? -1 : 1
  const longest = Math.max(a.prefix.length, b.prefix.length)
  for (let index = 0; index < longest; index++) {
    const difference = (a.prefix[index] ?? 0) - (b.prefix[index] ?? 0)
    if (difference !== 0) return difference
  }
  return 0
}

/** The shortest border that has `left` before it and `right` behind it; `left` must be before `right`. */
export function boundBetween(
  left: { time: number; digest: Uint8Array },
  right: { time: number; digest: Uint8Array },
): Bound {
  if (left.time < right.time) return { time: right.time, prefix: none }
  const shared = right.digest.findIndex((byte, index) => byte !== left.digest[index])
  return { time: right.time, prefix: right.digest.slice(0, shared + 1) }
}
