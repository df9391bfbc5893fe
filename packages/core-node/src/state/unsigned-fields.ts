import type { Envelope } from '@aleph-ts/protocol'

/** What of an envelope its signature does not cover, so that anybody can send a copy with other ones. */
export type UnsignedFields = Pick<Envelope, 'time' | 'channel'>

/** The unsigned fields as the database keeps them: times to the microsecond. */
export function unsignedFieldsOf({ time, channel }: UnsignedFields): UnsignedFields {
  return { time: Math.round(time * 1e6) / 1e6, channel }
}

/** Whether a message is here with other unsigned fields than those of another copy. */
export function isOtherCopy(envelope: Envelope, copy: UnsignedFields | undefined): copy is UnsignedFields {
  if (!copy) return false
  const own = unsignedFieldsOf(envelope)
  return own.time !== copy.time || own.channel !== copy.channel
}
