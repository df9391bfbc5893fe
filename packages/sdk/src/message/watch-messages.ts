import { apiMessageSchema } from '@aleph-ts/protocol'
import type { ClientContext } from '../client/client-context.ts'
import { pause } from '../http/request.ts'
import { filterQuery, type MessageFilter } from './list-messages.ts'
import type { NetworkMessage } from './message-shape.ts'

export interface WatchOptions extends MessageFilter {
  /** How many past messages to begin with, 0 to 199; none by default. */
  history?: number
  /** Ends the iteration, without an error. */
  signal?: AbortSignal
  /** The WebSocket to use where there is no global one. */
  webSocket?: typeof globalThis.WebSocket
}

const reconnectHistory = 199
const rememberedHashes = 2_000
const firstPauseMs = 100
const longestPauseMs = 8_000

/**
 * Messages as the network processes them (protocol 03 §5.1). A lost connection is taken up again, on the
 * next node when there are several, and what was missed meanwhile is delivered once.
 *
 * @example
 * for await (const message of watchMessages(context, { channels: ['my-app'], signal })) {
 *   console.log(message.item_hash, message.content)
 * }
 */
export async function* watchMessages(
  context: ClientContext,
  options: WatchOptions = {},
): AsyncGenerator<NetworkMessage, void, undefined> {
  const seen = new Set<string>()
  const startedAt = Date.now() / 1000
  let history = options.history ?? 0
  let wait = firstPauseMs
  for (let count = 0; !options.signal?.aborted; count++) {
    const base = context.core.urls[count % context.core.urls.length]!
    for await (const frame of frames(socketUrl(base, options, history), options)) {
      wait = firstPauseMs
      const message = parseFrame(frame)
      if (message === undefined || seen.has(message.item_hash)) continue
      // After a reconnect the history reaches further back than our watch; only what is new counts.
      if (count > 0 && options.history === undefined && Number(message.time) < startedAt) continue
      remember(seen, message.item_hash)
      yield message
    }
    history = reconnectHistory
    await pause(wait, options.signal).catch(() => undefined)
    wait = Math.min(wait * 2, longestPauseMs)
  }
}

function remember(seen: Set<string>, hash: string): void {
  seen.add(hash)
  if (seen.size > rememberedHashes) seen.delete(seen.values().next().value!)
}

function socketUrl(base: string, options: WatchOptions, history: number): string {
  const url = new URL(`${base.replace(/^http/, 'ws')}/api/ws0/messages`)
  for (const [name, value] of Object.entries({ ...filterQuery(options), history })) {
    if (value === undefined || (Array.isArray(value) && value.length === 0)) continue
    url.searchParams.set(name, Array.isArray(value) ? value.join(',') : String(value))
  }
  return url.href
}

function parseFrame(frame: string): NetworkMessage | undefined {
  try {
    const result = apiMessageSchema.safeParse(JSON.parse(frame))
    return result.success ? result.data : undefined
  } catch {
    // A frame of another kind (a newer node's notice) is no reason to end the watch.
    return undefined
  }
}

/** The text frames of one connection; ends when it closes or the signal aborts. */
async function* frames(url: string, options: WatchOptions): AsyncGenerator<string, void, undefined> {
  const socket = new (options.webSocket ?? globalThis.WebSocket)(url)
  const queue: string[] = []
  let closed = false
  let wake: () => void = () => undefined
  const close = () => {
    closed = true
    wake()
  }
  socket.addEventListener('message', (event) => {
    if (typeof event.data === 'string') queue.push(event.data)
    wake()
  })
  socket.addEventListener('close', close)
  socket.addEventListener('error', close)
  options.signal?.addEventListener('abort', close)
  try {
    while (true) {
      const frame = queue.shift()
      if (options.signal?.aborted) return
      if (frame !== undefined) yield frame
      else if (closed) return
      else await new Promise<void>((resolve) => (wake = resolve))
    }
  } finally {
    options.signal?.removeEventListener('abort', close)
    socket.close()
  }
}
