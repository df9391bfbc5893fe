import type { Logger } from 'pino'
import { AgentError } from '../errors.ts'

const DEMOTION_MS = 15_000
const HEADERS_TIMEOUT_MS = 15_000
/** Refusals that say something about the server rather than about the thing asked for. */
const distrusted = new Set(['message_invalid', 'content_mismatch'])

export interface CoreNodesOptions {
  /** Base URLs, preferred first. */
  servers: string[]
  logger: Logger
  /** Longest wait for the first byte of an answer. */
  headersTimeoutMs?: number
}

/** What one server said: a value, or that it does not have the thing. */
export type Attempt<T> = { found: T } | { missing: true }

/**
 * The core nodes this compute node asks, in order of preference. A server that failed goes to the end of
 * the line for a while; no answer of any of them is trusted without a check by the caller.
 */
export class CoreNodes {
  readonly #servers: string[]
  readonly #logger: Logger
  readonly #headersTimeoutMs: number
  readonly #demotedUntil = new Map<string, number>()

  constructor(options: CoreNodesOptions) {
    this.#servers = options.servers.map((server) => server.replace(/\/+$/, ''))
    this.#logger = options.logger
    this.#headersTimeoutMs = options.headersTimeoutMs ?? HEADERS_TIMEOUT_MS
  }

  get servers(): readonly string[] {
    return this.#servers
  }

  /**
   * Runs `attempt` on one server after another until one has the thing. `null` when at least one server
   * answered and none has it. Throws the most telling error when no server gave a usable answer:
   * an AgentError of `attempt` first, `core_nodes_unreachable` otherwise.
   */
  async first<T>(what: string, attempt: (server: string) => Promise<Attempt<T>>): Promise<T | null> {
    let answered = false
    let refusal: AgentError | undefined
    let failure: unknown
    for (const server of this.#ordered()) {
      try {
        const result = await attempt(server)
        this.#demotedUntil.delete(server)
        if ('found' in result) return result.found
        answered = true
      } catch (error) {
        this.#logger.warn(
          { server, what, reason: (error as Error).message },
          'core node failed, trying the next',
        )
        if (error instanceof AgentError) refusal ??= error
        else failure ??= error
        if (!(error instanceof AgentError) || distrusted.has(error.code)) {
          this.#demotedUntil.set(server, Date.now() + DEMOTION_MS)
        }
      }
    }
    if (refusal) throw refusal
    if (answered) return null
    throw new AgentError(
      'core_nodes_unreachable',
      `No core node could be asked for ${what}; try again shortly`,
      {
        cause: failure,
      },
    )
  }

  /** A GET whose headers must arrive in time. The body is the caller's to read and bound. */
  async get(server: string, path: string, signal?: AbortSignal): Promise<Response> {
    const timer = new AbortController()
    const timeout = setTimeout(
      () => timer.abort(new Error(`no answer within ${this.#headersTimeoutMs} ms`)),
      this.#headersTimeoutMs,
    )
    try {
      return await fetch(`${server}${path}`, {
        signal: signal ? AbortSignal.any([signal, timer.signal]) : timer.signal,
        redirect: 'error',
      })
    } finally {
      clearTimeout(timeout)
    }
  }

  /** JSON of a 200 answer, at most `maxBytes`; `missing` on 404. */
  async getJson(server: string, path: string, maxBytes: number): Promise<Attempt<unknown>> {
    const bytes = await this.getBytes(server, path, maxBytes)
    if ('missing' in bytes) return bytes
    return { found: JSON.parse(Buffer.from(bytes.found).toString('utf8')) }
  }

  /** Body of a 200 answer, at most `maxBytes`; `missing` on 404 and 410. */
  async getBytes(server: string, path: string, maxBytes: number): Promise<Attempt<Uint8Array>> {
    const bodyTimeout = AbortSignal.timeout(this.#headersTimeoutMs * 2)
    const response = await this.get(server, path, bodyTimeout)
    if (response.status === 404 || response.status === 410) {
      await response.body?.cancel()
      return { missing: true }
    }
    if (response.status !== 200 || !response.body) {
      await response.body?.cancel()
      throw new Error(`answered ${response.status} to ${path}`)
    }
    const chunks: Uint8Array[] = []
    let size = 0
    for await (const chunk of response.body) {
      size += chunk.byteLength
      if (size > maxBytes) throw new Error(`answered more than ${maxBytes} bytes to ${path}`)
      chunks.push(chunk)
    }
    return { found: Buffer.concat(chunks) }
  }

  #ordered(): string[] {
    const now = Date.now()
    const demoted = (server: string) => (this.#demotedUntil.get(server) ?? 0) > now
    return [...this.#servers.filter((server) => !demoted(server)), ...this.#servers.filter(demoted)]
  }
}
