import { AlephApiError, AlephError, isTransient } from '../errors.ts'
import { chunksOf } from './chunks-of.ts'
import type { Transport } from './transport.ts'

export interface RequestOptions {
  method?: 'GET' | 'HEAD' | 'POST' | 'DELETE'
  query?: Record<string, QueryValue>
  headers?: Record<string, string>
  body?: NonNullable<RequestInit['body']>
  /** Statuses besides 2xx that are an answer and not a failure. */
  accept?: readonly number[]
  /** True when sending it twice is the same as sending it once; GET and HEAD are by nature. */
  idempotent?: boolean
  timeoutMs?: number
  signal?: AbortSignal
}

export type QueryValue = string | number | boolean | readonly string[] | undefined

export interface JsonAnswer {
  status: number
  url: string
  body: unknown
}

/** An answer as JSON is never longer than this; what is larger is a file and comes as a stream. */
const maxJsonBytes = 64 * 1024 * 1024
const maxErrorBytes = 64 * 1024
const maxRetryAfterMs = 10_000

/** Sends a request and reads the whole answer as JSON (as text when it is not JSON). */
export async function requestJson(
  transport: Transport,
  path: string,
  options: RequestOptions = {},
): Promise<JsonAnswer> {
  return withRetries(transport, path, options, async (url, deadline) => {
    const response = await send(transport, url, options, deadline.signal)
    return { status: response.status, url, body: parseBody(await readText(response, maxJsonBytes)) }
  })
}

/** Sends a request and hands back the answer with its body still to be read; the time limit ends at the headers. */
export async function requestStream(
  transport: Transport,
  path: string,
  options: RequestOptions = {},
): Promise<Response> {
  return withRetries(transport, path, options, (url, deadline) =>
    send(transport, url, options, deadline.signal).finally(() => deadline.clear()),
  )
}

async function withRetries<T>(
  transport: Transport,
  path: string,
  options: RequestOptions,
  attempt: (url: string, deadline: Deadline) => Promise<T>,
): Promise<T> {
  const safe = options.idempotent ?? ['GET', 'HEAD'].includes(options.method ?? 'GET')
  const attempts = safe ? transport.retries + 1 : 1
  for (let count = 1; ; count++) {
    const base = transport.urls[(count - 1) % transport.urls.length]!
    const url = base + path + queryString(options.query)
    const deadline = startDeadline(options.timeoutMs ?? transport.timeoutMs, options.signal)
    try {
      return await attempt(url, deadline)
    } catch (error) {
      options.signal?.throwIfAborted()
      const failure = describeFailure(error, url, deadline)
      if (count >= attempts || !isTransient(failure)) throw failure
      await pause(retryDelay(transport, count, failure), options.signal)
    } finally {
      deadline.clear()
    }
  }
}

async function send(transport: Transport, url: string, options: RequestOptions, signal: AbortSignal) {
  const method = options.method ?? 'GET'
  const response = await transport.fetch(url, {
    method,
    signal,
    ...(options.headers ? { headers: options.headers } : {}),
    ...(options.body === undefined ? {} : { body: options.body }),
  })
  if (response.ok || options.accept?.includes(response.status)) return response
  const details = parseBody(await readText(response, maxErrorBytes, 'cut'))
  const error = new AlephApiError({ status: response.status, method, url, details })
  retryAfter.set(error, response.headers.get('retry-after'))
  throw error
}

/** What the node asked us to wait, kept beside the error rather than in its public shape. */
const retryAfter = new WeakMap<AlephApiError, string | null>()

function describeFailure(error: unknown, url: string, deadline: Deadline): AlephError {
  if (error instanceof AlephError) return error
  if (deadline.expired()) {
    return new AlephError('timeout', `${url} did not answer in time`, {
      hint: 'Try again, raise timeoutMs, or use another node.',
      cause: error,
    })
  }
  const reason = (error as { cause?: { code?: string; message?: string } }).cause
  return new AlephError(
    'network_unreachable',
    `Cannot reach ${url}: ${reason?.code ?? reason?.message ?? (error as Error).message}`,
    { hint: 'Check the URL and that the node is running.', cause: error },
  )
}

function retryDelay(transport: Transport, count: number, error: AlephError): number {
  const asked = error instanceof AlephApiError ? Number(retryAfter.get(error) ?? Number.NaN) : Number.NaN
  if (asked >= 0) return Math.min(asked * 1000, maxRetryAfterMs)
  return transport.retryDelayMs * 2 ** (count - 1) * (0.5 + Math.random() / 2)
}

interface Deadline {
  signal: AbortSignal
  expired(): boolean
  clear(): void
}

function startDeadline(timeoutMs: number, outer: AbortSignal | undefined): Deadline {
  outer?.throwIfAborted()
  const controller = new AbortController()
  let expired = false
  const timer = setTimeout(() => {
    expired = true
    controller.abort()
  }, timeoutMs)
  return {
    signal: outer ? AbortSignal.any([controller.signal, outer]) : controller.signal,
    expired: () => expired,
    clear: () => clearTimeout(timer),
  }
}

/** Waits, and wakes at once with the signal's reason when aborted. */
export function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason)
    const stop = () => {
      clearTimeout(timer)
      reject(signal?.reason)
    }
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', stop)
      resolve()
    }, ms)
    signal?.addEventListener('abort', stop, { once: true })
  })
}

async function readText(response: Response, limit: number, over: 'fail' | 'cut' = 'fail'): Promise<string> {
  if (response.body === null) return ''
  const decoder = new TextDecoder()
  let text = ''
  let size = 0
  for await (const chunk of chunksOf(response.body)) {
    size += chunk.length
    if (size > limit) {
      if (over === 'cut') break
      throw new AlephError('bad_response', `${response.url} answered with more than ${limit} bytes`, {
        hint: 'Ask for fewer items per page.',
      })
    }
    text += decoder.decode(chunk, { stream: true })
  }
  return text + decoder.decode()
}

function parseBody(text: string): unknown {
  if (text === '') return null
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

/** With its `?`; empty without parameters. */
export function queryString(query: Record<string, QueryValue> | undefined): string {
  const search = new URLSearchParams()
  for (const [name, value] of Object.entries(query ?? {})) {
    if (value === undefined || (Array.isArray(value) && value.length === 0)) continue
    search.set(name, Array.isArray(value) ? value.join(',') : String(value))
  }
  return search.size === 0 ? '' : `?${search}`
}
