import { ChainSourceError } from './chain-source.ts'

const maxResponseBytes = 64 * 1024 * 1024

export interface JsonEndpointConfig {
  /** `http:` or `https:`, or several with commas between them. May hold an API key, so it never appears in errors. */
  urls: string
  /** Longest wait for one whole answer, ms; default 20,000. */
  timeoutMs?: number
}

/**
 * Asks a service of a chain in JSON, with every way of failing sorted into `ChainSourceError`. Of several addresses
 * the next is asked when one is out of reach.
 */
export class JsonEndpoint {
  readonly #urls: string[]
  readonly #timeoutMs: number
  readonly #closing = new AbortController()
  #current = 0

  constructor(config: JsonEndpointConfig) {
    this.#urls = endpointUrls(config.urls)
    if (this.#urls.length === 0) {
      throw new ChainSourceError(
        'unreachable',
        'give http:// or https:// addresses, with commas between them',
      )
    }
    this.#timeoutMs = config.timeoutMs ?? 20_000
  }

  /**
   * @param body what is asked, as JSON
   * @returns the answer, parsed but not checked
   */
  async ask(body: unknown): Promise<unknown> {
    for (let tries = 1; ; tries++) {
      const asked = this.#current
      try {
        return await this.#post(this.#urls[asked]!, body)
      } catch (error) {
        const failure = error instanceof ChainSourceError ? error : this.#describe(error)
        if (failure.code !== 'unreachable' || tries >= this.#urls.length) throw failure
        if (this.#current === asked) this.#current = (asked + 1) % this.#urls.length
      }
    }
  }

  close(): void {
    this.#closing.abort()
  }

  async #post(url: string, body: unknown): Promise<unknown> {
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
      redirect: 'error',
      signal: AbortSignal.any([this.#closing.signal, AbortSignal.timeout(this.#timeoutMs)]),
    })
    const text = await readText(response)
    if (!response.ok) {
      const isTooMuch = response.status === 400 || response.status === 413
      throw new ChainSourceError(isTooMuch ? 'refused' : 'unreachable', `HTTP status ${response.status}`)
    }
    try {
      return JSON.parse(text)
    } catch {
      throw new ChainSourceError('unreachable', 'the answer is not JSON')
    }
  }

  /** Only texts that cannot hold the URL. */
  #describe(error: unknown): ChainSourceError {
    if (this.#closing.signal.aborted) return new ChainSourceError('closed', 'closed')
    const isLate = error instanceof Error && error.name === 'TimeoutError'
    return new ChainSourceError('unreachable', isLate ? 'no answer in time' : 'nobody answers')
  }
}

/** The endpoints of a setting such as `https://one,https://two`; none when one of them is no http(s) address. */
export function endpointUrls(setting: string): string[] {
  const urls = setting.split(',').map((url) => url.trim())
  return urls.every((url) => /^https?:\/\/\S+$/.test(url) && URL.canParse(url)) ? urls : []
}

async function readText(response: Response): Promise<string> {
  const parts: Uint8Array[] = []
  let bytes = 0
  for await (const part of response.body ?? []) {
    bytes += part.length
    if (bytes > maxResponseBytes) {
      throw new ChainSourceError('refused', `the answer has more than ${maxResponseBytes} bytes`)
    }
    parts.push(part)
  }
  return Buffer.concat(parts).toString()
}
