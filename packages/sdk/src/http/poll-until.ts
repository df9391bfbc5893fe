import { pause } from './request.ts'

const firstPauseMs = 50
const longestPauseMs = 1_000

/**
 * Asks again and again, ever more slowly, until an answer comes; undefined when time is up. The question
 * gets a signal that ends with the time, so that a hanging request cannot outlast it.
 */
export async function pollUntil<T>(
  ask: (signal: AbortSignal) => Promise<T | undefined>,
  options: { timeoutMs: number; signal?: AbortSignal | undefined },
): Promise<T | undefined> {
  const timeout = AbortSignal.timeout(options.timeoutMs)
  const signal = options.signal ? AbortSignal.any([timeout, options.signal]) : timeout
  try {
    for (let wait = firstPauseMs; ; wait = Math.min(wait * 1.5, longestPauseMs)) {
      const answer = await ask(signal)
      if (answer !== undefined) return answer
      await pause(wait, signal)
    }
  } catch (error) {
    options.signal?.throwIfAborted()
    if (timeout.aborted) return undefined
    throw error
  }
}
