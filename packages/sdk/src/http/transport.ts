import { AlephError } from '../errors.ts'

/** Where requests go and how patient they are. Made by `createTransport`. */
export interface Transport {
  /** Base URLs without a trailing slash; the first is preferred, the others take over when it fails. */
  readonly urls: readonly [string, ...string[]]
  readonly fetch: typeof globalThis.fetch
  /** Milliseconds for one attempt, from the start to the end of the answer's headers (JSON: of its body). */
  readonly timeoutMs: number
  /** How many times a safe request is tried again. */
  readonly retries: number
  /** First pause between attempts in milliseconds; doubles each time, with jitter. */
  readonly retryDelayMs: number
}

export interface TransportOptions {
  fetch?: typeof globalThis.fetch
  timeoutMs?: number
  retries?: number
  retryDelayMs?: number
}

/** Checks the URLs and fills the defaults: 30 s per attempt, 3 retries from 200 ms. */
export function createTransport(urls: string | readonly string[], options: TransportOptions = {}): Transport {
  const [first, ...rest] = (typeof urls === 'string' ? [urls] : urls).map(cleanUrl)
  if (first === undefined) {
    throw new AlephError('invalid_argument', 'No node URL was given', { hint: 'Pass apiUrl or apiUrls.' })
  }
  return {
    urls: [first, ...rest],
    fetch: options.fetch ?? ((input, init) => globalThis.fetch(input, init)),
    timeoutMs: options.timeoutMs ?? 30_000,
    retries: options.retries ?? 3,
    retryDelayMs: options.retryDelayMs ?? 200,
  }
}

function cleanUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || !['http:', 'https:'].includes(url.protocol)) {
    throw new AlephError('invalid_argument', `Not a node URL: ${JSON.stringify(text)}`, {
      hint: 'Give an absolute http:// or https:// URL.',
    })
  }
  return url.href.replace(/\/+$/, '')
}
