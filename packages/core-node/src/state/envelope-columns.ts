import type { Envelope } from '@aleph-ts/protocol'
import { unsignedFieldsOf } from './unsigned-fields.ts'

/** Envelopes as arrays for `unnest`: type, chain, sender, signature, item type, item content, time, channel. */
export function envelopeColumns(envelopes: Envelope[]): unknown[][] {
  return [
    envelopes.map((envelope) => envelope.type),
    envelopes.map((envelope) => envelope.chain),
    envelopes.map((envelope) => envelope.sender),
    envelopes.map((envelope) => envelope.signature),
    envelopes.map((envelope) => envelope.item_type),
    envelopes.map((envelope) => envelope.item_content),
    envelopes.map((envelope) => unsignedFieldsOf(envelope).time),
    envelopes.map((envelope) => envelope.channel),
  ]
}
