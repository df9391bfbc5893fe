import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from 'pino'
import type { CoreNodes } from './core-nodes.ts'
import { readServerSentEvents } from './server-sent-events.ts'

const LOOK_MS = 1_000
const COME_BACK_MS = 2_000
const MAX_COME_BACK_MS = 60_000
/** Core nodes say something every 15 seconds. */
const SILENCE_MS = 45_000

export interface MessageEventsOptions {
  coreNodes: CoreNodes
  /** Which messages matter now, by parameters of a core node's list of messages; null: none. */
  wanted: () => Record<string, string> | null
  /** A core node says that it processed this message; to be checked. */
  onMessage: (message: unknown) => void
  logger: Logger
}

/** Hears of messages as core nodes process them, by their event stream, and goes on where it was cut off. */
export class MessageEvents {
  readonly #options: MessageEventsOptions
  /** Id of the last event of each server. */
  readonly #positions = new Map<string, string>()
  #timer: NodeJS.Timeout | null = null
  #following = ''
  #abort = new AbortController()

  constructor(options: MessageEventsOptions) {
    this.#options = options
  }

  start(): void {
    this.#timer = setInterval(() => this.#look(), LOOK_MS)
    this.#timer.unref()
  }

  stop(): void {
    if (this.#timer) clearInterval(this.#timer)
    this.#abort.abort()
  }

  /** Opens another stream when what is wanted has changed. */
  #look(): void {
    const wanted = this.#options.wanted()
    const following = wanted ? new URLSearchParams({ topics: 'message', ...wanted }).toString() : ''
    if (following === this.#following) return
    this.#following = following
    this.#abort.abort()
    this.#abort = new AbortController()
    if (following !== '') void this.#follow(following, this.#abort.signal)
  }

  /** Never rejects; ends when the signal aborts. */
  async #follow(query: string, signal: AbortSignal): Promise<void> {
    const { coreNodes, logger } = this.#options
    for (let comeBackMs = COME_BACK_MS; !signal.aborted; ) {
      for (const server of coreNodes.servers) {
        try {
          await this.#listen(server, query, signal)
          comeBackMs = COME_BACK_MS
          break
        } catch (error) {
          if (signal.aborted) return
          logger.debug({ server, reason: (error as Error).message }, 'no events from a core node')
        }
      }
      await sleep(comeBackMs, undefined, { signal, ref: false }).catch(() => {})
      comeBackMs = Math.min(comeBackMs * 2, MAX_COME_BACK_MS)
    }
  }

  /** Resolves when a stream that once was open ends. */
  async #listen(server: string, query: string, signal: AbortSignal): Promise<void> {
    const position = this.#positions.get(server)
    const place = position === undefined ? '' : `&lastEventId=${position}`
    const silence = new AbortController()
    const watchdog = setTimeout(() => silence.abort(new Error('the stream went silent')), SILENCE_MS)
    watchdog.unref()
    try {
      const response = await this.#options.coreNodes.get(
        server,
        `/api/v1/events?${query}${place}`,
        AbortSignal.any([signal, silence.signal]),
      )
      const isStream = response.headers.get('content-type')?.startsWith('text/event-stream')
      if (response.status !== 200 || !response.body || !isStream) {
        await response.body?.cancel()
        throw new Error(`answered ${response.status} to a request for events`)
      }
      const onBytes = () => watchdog.refresh()
      for await (const event of readServerSentEvents(response.body, onBytes)) {
        if (event.id !== undefined) this.#positions.set(server, event.id)
        const message = event.name === 'message' ? parsed(event.data) : undefined
        if (message !== undefined) this.#options.onMessage(message)
      }
    } finally {
      clearTimeout(watchdog)
    }
  }
}

/** Undefined when it is no JSON. */
function parsed(data: string): unknown {
  try {
    return JSON.parse(data)
  } catch {
    return undefined
  }
}
