import type { Place } from '@aleph-ts/protocol'
import type { Candidate } from './candidate.ts'

/** How long something holds: from the place of the message that made it to that of the FORGET that removed it. */
export interface Span {
  place: Place
  /** Null while it stands. */
  until: Place | null
}

/** Whether something stands at a place of the order. */
export function standsAt(span: Span, place: Place): boolean {
  return span.place < place && (span.until === null || span.until >= place)
}

/** Whether something stands where a candidate is judged; what a FORGET itself removed earlier counts as standing. */
export function standsBefore(span: Span, candidate: Candidate): boolean {
  const own = candidate.standing?.place
  const until = own && span.until === own ? null : span.until
  return standsAt({ ...span, until }, candidate.place!)
}
