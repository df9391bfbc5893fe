import type { ProtocolError } from '@aleph-ts/protocol'

/** A refusal that the arrival of other messages may cure. */
export class Waiting extends Error {
  readonly code = 'waiting'
  readonly refusal: ProtocolError
  /** Hashes of the messages that are missing. */
  readonly waitsFor: string[]

  constructor(refusal: ProtocolError, waitsFor: string[]) {
    super(refusal.message)
    this.refusal = refusal
    this.waitsFor = waitsFor
  }
}
