import { type BuiltMessage, buildMessage, type MessageOptions } from './build-message.ts'

export interface ForgetFields {
  /** Item hashes of the messages to forget. */
  hashes: readonly string[]
  reason?: string
}

/** A FORGET: removes the content of earlier messages from the network (protocol 01 §6.4). */
export function buildForget(fields: ForgetFields, options: MessageOptions): BuiltMessage<'FORGET'> {
  return buildMessage(
    'FORGET',
    {
      hashes: [...fields.hashes],
      aggregates: [],
      ...(fields.reason === undefined ? {} : { reason: fields.reason }),
    },
    options,
  )
}
