import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from 'pino'
import type { CoreNodes } from './core-nodes.ts'
import { readServerSentEvents } from './server-sent-events.ts'

const LOOK_MS = 1_000
const COME_BACK_MS = 2_000
const MAX_COME_BACK_MS = 60_000
/** Core nodes say something every 15 seconds. */
const SILENCE_MS = 45_000
/** What fits into one address of a request. */
const MAX_REFS = 100

export interface AmendWatchOptions {
  coreNodes: CoreNodes
  /** STORE messages whose amends matter now. */
  wanted: () => ReadonlySet<string>
  /** A core node says that a new version of this STORE message was published; to be checked. */
  onAmend: (ref: string) => void
  logger: Logger
}

/**
 * Hears of new versions of files as core nodes process them, by their event stream, and goes on where it was cut
 * off. What it misses (a core node without events, more files than fit) is found by asking now and then, elsewhere.
 */
export class AmendWatch {
  readonly #options: AmendWatchOptions
  /** Id of the last event of each server. */
  readonly #positions = new Map<string, string>()
  #timer: NodeJS.Timeout | null = null
  #following = ''
  #abort = new AbortController()

  constructor(options: AmendWatchOptions) {
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
    const refs = [...this.#options.wanted()].sort().slice(0, MAX_REFS)
    const following = refs.join(',')
    if (following === this.#following) return
    this.#following = following
    this.#abort.abort()
    this.#abort = new AbortController()
    if (refs.length > 0) void this.#follow(new Set(refs), this.#abort.signal)
  }

  /** Never rejects; ends when the signal aborts. */
  async #follow(refs: ReadonlySet<string>, signal: AbortSignal): Promise<void> {
    const { coreNodes, logger } = this.#options
    for (let comeBackMs = COME_BACK_MS; !signal.aborted; ) {
      for (const server of coreNodes.servers) {
        try {
          await this.#listen(server, refs, signal)
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
  async #listen(server: string, refs: ReadonlySet<string>, signal: AbortSignal): Promise<void> {
    const query = new URLSearchParams({ topics: 'message', msgTypes: 'STORE', refs: [...refs].join(',') })
    const position = this.#positions.get(server)
    if (position !== undefined) query.set('lastEventId', position)
    const silence = new AbortController()
    const watchdog = setTimeout(() => silence.abort(new Error('the stream went silent')), SILENCE_MS)
    watchdog.unref()
    try {
      const response = await this.#options.coreNodes.get(
        server,
        `/api/v1/events?${query}`,
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
        const ref = event.name === 'message' ? refOf(event.data) : undefined
        if (ref !== undefined && refs.has(ref)) this.#options.onAmend(ref)
      }
    } finally {
      clearTimeout(watchdog)
    }
  }
}

function refOf(data: string): string | undefined {
  try {
    const { content } = JSON.parse(data) as { content?: { ref?: unknown } }
    return typeof content?.ref === 'string' ? content.ref : undefined
  } catch {
    return undefined
  }
}
