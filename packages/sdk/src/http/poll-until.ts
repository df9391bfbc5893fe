import { AlephError, isTransient } from '../errors.ts'
import { pause } from './request.ts'

const firstPauseMs = 50
const longestPauseMs = 1_000

/**
 * Asks again and again, ever more slowly, until an answer comes; undefined when time is up. A node that is
 * away for a while only delays the answer. The question gets a signal that ends with the time, so that a
 * hanging request cannot outlast it.
 *
 * @throws AlephError when time is up and the node was away to the end.
 */
export async function pollUntil<T>(
  ask: (signal: AbortSignal) => Promise<T | undefined>,
  options: { timeoutMs: number; signal?: AbortSignal | undefined },
): Promise<T | undefined> {
  const timeout = AbortSignal.timeout(options.timeoutMs)
  const signal = options.signal ? AbortSignal.any([timeout, options.signal]) : timeout
  let lastFailure: AlephError | undefined
  try {
    for (let wait = firstPauseMs; ; wait = Math.min(wait * 1.5, longestPauseMs)) {
      try {
        const answer = await ask(signal)
        if (answer !== undefined) return answer
        lastFailure = undefined
      } catch (error) {
        if (!(error instanceof AlephError && isTransient(error))) throw error
        lastFailure = error
      }
      await pause(wait, signal)
    }
  } catch (error) {
    options.signal?.throwIfAborted()
    if (!timeout.aborted) throw error
    if (lastFailure) throw lastFailure
    return undefined
  }
}
