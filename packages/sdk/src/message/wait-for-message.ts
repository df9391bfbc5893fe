import type { MessageStatus } from '@aleph-ts/protocol'
import type { ClientContext } from '../client/client-context.ts'
import { AlephError } from '../errors.ts'
import { pollUntil } from '../http/poll-until.ts'
import { getMessage } from './get-message.ts'
import { getMessageStatus } from './get-message-status.ts'
import { rejectionOf } from './send-message.ts'

export interface WaitOptions {
  /** `processed` (default): its effect is there. `known`: a node has it, whatever became of it. */
  until?: 'processed' | 'known'
  /** Milliseconds; one minute by default. */
  timeoutMs?: number
  signal?: AbortSignal
}

/**
 * Waits until a message has come as far as asked, and tells its status then.
 *
 * @throws MessageRejectedError when it was rejected instead; AlephError `timeout` when time is up.
 */
export async function waitForMessage(
  context: ClientContext,
  itemHash: string,
  options: WaitOptions = {},
): Promise<MessageStatus> {
  const { until = 'processed', timeoutMs = 60_000, signal } = options
  let last: MessageStatus | null = null
  const reached = await pollUntil(
    async (stop) => {
      last = await getMessageStatus(context, itemHash, { signal: stop })
      if (last === null) return undefined
      if (until === 'known') return last
      return last === 'pending' ? undefined : last
    },
    { timeoutMs, signal },
  )
  if (reached === undefined) {
    throw new AlephError('timeout', `Message ${itemHash} is ${last ?? 'unknown'} after ${timeoutMs} ms`, {
      hint: 'It may still come through: look again later with getMessage.',
    })
  }
  if (until === 'known' || reached === 'processed' || reached === 'removing') return reached
  if (reached === 'rejected') {
    const { errorCode, details } = await getMessage(context, itemHash, signal ? { signal } : {})
    throw rejectionOf(itemHash, errorCode, details)
  }
  throw new AlephError('not_found', `Message ${itemHash} was ${reached}`, { hint: 'Send a new message.' })
}
