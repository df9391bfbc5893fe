import { type BuiltMessage, buildMessage, type MessageOptions } from './build-message.ts'

export interface PostFields {
  /** Your own type of post; filters find it by this text. */
  postType: string
  content: unknown
  /** What the post answers or belongs to. */
  ref?: string
}

/**
 * A POST: any JSON, published under a type (protocol 01 §6.1).
 *
 * @example
 * buildPost({ postType: 'note', content: { body: 'Hello' } }, { account, channel: 'my-app' })
 */
export function buildPost(fields: PostFields, options: MessageOptions): BuiltMessage<'POST'> {
  return buildMessage(
    'POST',
    {
      type: fields.postType,
      content: fields.content,
      ...(fields.ref === undefined ? {} : { ref: fields.ref }),
    },
    options,
  )
}

/** Replaces the content of an earlier POST of the same owner (protocol 01 §7.2). */
export function buildAmend(
  fields: { itemHash: string; content: unknown },
  options: MessageOptions,
): BuiltMessage<'POST'> {
  return buildPost({ postType: 'amend', content: fields.content, ref: fields.itemHash }, options)
}
