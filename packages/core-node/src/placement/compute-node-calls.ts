import { signAllocationRequest } from '@aleph-ts/protocol'
import type { OperatorKey } from '../operator-key.ts'
import type { AskRegistered } from '../registered-request.ts'

export interface CallOptions {
  /** JSON text. */
  body?: string
  signal: AbortSignal
  maxBytes?: number
}

export interface CallAnswer {
  status: number
  text: string
}

const answerBytes = 4 * 1024 * 1024

/** Tells compute nodes what to do, in requests signed by whoever places VMs (protocol 05 §4.4). */
export class ComputeNodeCalls {
  readonly #ask: AskRegistered
  readonly #key: OperatorKey
  /** By method and URL, epoch seconds. */
  readonly #lastIssued = new Map<string, number>()

  constructor(options: { askRegistered: AskRegistered; key: OperatorKey }) {
    this.#ask = options.askRegistered
    this.#key = options.key
  }

  get(baseUrl: string, path: string, options: CallOptions): Promise<CallAnswer> {
    return this.#call('GET', baseUrl, path, options)
  }

  post(baseUrl: string, path: string, options: CallOptions): Promise<CallAnswer> {
    return this.#call('POST', baseUrl, path, options)
  }

  /** @throws {PrivateAddressError} or the connection's error */
  async #call(
    method: 'GET' | 'POST',
    baseUrl: string,
    path: string,
    { body = '', signal, maxBytes = answerBytes }: CallOptions,
  ): Promise<CallAnswer> {
    const url = new URL(path, baseUrl)
    const bytes = Buffer.from(body)
    const { privateKey } = this.#key
    const iat = this.#issue(`${method} ${url}`)
    const authorization = signAllocationRequest({ method, path, body: bytes, iat, privateKey })
    const answer = await this.#ask(url, {
      method,
      headers: { authorization, ...(body === '' ? {} : { 'content-type': 'application/json' }) },
      ...(method === 'POST' ? { body: bytes } : {}),
      signal,
      maxBytes,
    })
    return { status: answer.status, text: answer.body.toString('utf8') }
  }

  /** The receiver refuses a request it has seen: equal ones need different times of issue. */
  #issue(request: string): number {
    const now = Math.floor(Date.now() / 1000)
    const iat = Math.max(now, (this.#lastIssued.get(request) ?? 0) + 1)
    this.#lastIssued.delete(request)
    this.#lastIssued.set(request, iat)
    // The oldest are long in the past, and need not be remembered.
    for (const [old, time] of this.#lastIssued) {
      if (time >= now - forgetSeconds) break
      this.#lastIssued.delete(old)
    }
    return iat
  }
}

const forgetSeconds = 600
