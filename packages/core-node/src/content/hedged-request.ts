import type { OpenRegistered } from '../registered-request.ts'

/** A peer that has the file: its answer's body is not yet read. */
export interface Offer {
  peer: string
  body: AsyncIterable<Uint8Array>
  /** Gives up on the body. */
  abort: (reason: Error) => void
}

export interface HedgedRequestOptions {
  open: OpenRegistered
  /** Base URLs, in the order to ask them; those that had an answer, or none in time, are removed. */
  peers: string[]
  path: string
  /** How long to wait for one peer before another is asked as well, ms. */
  hedgeMs: number
  /** How long one peer may take to begin its answer, ms. */
  answerMs: number
  signal: AbortSignal
  /** A peer had no answer with status 200; `missing` when it said plainly that it has no such file. */
  onFailure: (peer: string, missing: boolean) => void
}

/**
 * Asks peers one after the other, the next one as soon as a peer fails or is slow, and takes the first that has the
 * file; slower ones are let go.
 *
 * @returns `null` when every peer was asked and none has it
 */
export async function requestFromAny(options: HedgedRequestOptions): Promise<Offer | null> {
  const { peers, hedgeMs, signal } = options
  const running = new Map<string, { abort: (reason: Error) => void; outcome: Promise<Offer | string> }>()
  try {
    for (;;) {
      const next = signal.aborted ? undefined : peers.shift()
      if (next !== undefined) running.set(next, ask(next, options))
      if (running.size === 0) return null
      const first = await firstOutcome(running, peers.length > 0 ? hedgeMs : undefined)
      if (first === null) continue
      if (typeof first !== 'string') {
        running.delete(first.peer)
        return first
      }
      running.delete(first)
    }
  } finally {
    for (const { abort } of running.values()) abort(new Error('another peer was faster'))
    // Should the faster one turn out to serve something else, they are asked again.
    peers.unshift(...running.keys())
  }
}

/** The first ended request, or `null` when none ends in time. */
async function firstOutcome(
  running: Map<string, { outcome: Promise<Offer | string> }>,
  timeoutMs: number | undefined,
): Promise<Offer | string | null> {
  const outcomes = [...running.values()].map(({ outcome }) => outcome)
  if (timeoutMs === undefined) return Promise.race(outcomes)
  let timer: NodeJS.Timeout | undefined
  const timeout = new Promise<null>((resolve) => {
    timer = setTimeout(resolve, timeoutMs, null)
  })
  try {
    return await Promise.race([...outcomes, timeout])
  } finally {
    clearTimeout(timer)
  }
}

/** Begins one request. Its outcome never rejects: it is the offer, or the name of the peer that failed. */
function ask(
  peer: string,
  options: HedgedRequestOptions,
): { abort: (reason: Error) => void; outcome: Promise<Offer | string> } {
  const controller = new AbortController()
  const abort = (reason: Error) => controller.abort(reason)
  const slow = setTimeout(() => abort(new Error('the peer does not answer')), options.answerMs)
  const signal = AbortSignal.any([controller.signal, options.signal])
  const outcome = options.open(new URL(options.path, peer), { signal }).then(
    (response): Offer | string => {
      clearTimeout(slow)
      if (response.statusCode === 200) return { peer, body: response, abort }
      options.onFailure(peer, response.statusCode === 404)
      response.destroy()
      return peer
    },
    (): string => {
      clearTimeout(slow)
      if (!controller.signal.aborted && !options.signal.aborted) options.onFailure(peer, false)
      return peer
    },
  )
  return { abort, outcome }
}
