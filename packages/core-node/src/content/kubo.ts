import { withoutStalls } from './without-stalls.ts'

export interface KuboOptions {
  /** Base URL of its RPC, such as `http://127.0.0.1:5001`. */
  url: string
  /** How long it may look for the first block, and pause between two, ms. */
  stallMs?: number
}

/** A Kubo node beside this one, which reaches the public IPFS network (protocol 04 §9.2). */
export class Kubo {
  readonly #url: string
  readonly #stallMs: number

  constructor({ url, stallMs = 30_000 }: KuboOptions) {
    this.#url = url
    this.#stallMs = stallMs
  }

  /**
   * All blocks of a DAG as a CAR, to be verified by whoever reads it. The stream fails when Kubo finds no (further)
   * block in time.
   */
  async *exportCar(cid: string, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    yield* this.#ask('dag/export', { arg: cid, progress: 'false' }, signal)
  }

  /** One block, to be verified by whoever reads it. The stream fails when Kubo does not find it in time. */
  async *block(cid: string, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    yield* this.#ask('block/get', { arg: cid }, signal)
  }

  async *#ask(
    command: string,
    parameters: Record<string, string>,
    signal: AbortSignal,
  ): AsyncGenerator<Uint8Array> {
    const controller = new AbortController()
    const abort = (reason: Error) => controller.abort(reason)
    const url = new URL(`api/v0/${command}`, this.#url)
    url.search = new URLSearchParams(parameters).toString()
    const slow = setTimeout(() => abort(new Error('Kubo does not find it')), this.#stallMs)
    try {
      const response = await fetch(url, {
        method: 'POST',
        signal: AbortSignal.any([controller.signal, signal]),
        redirect: 'error',
      })
      clearTimeout(slow)
      if (!response.ok || !response.body) throw new Error(`Kubo answers ${response.status}`)
      yield* withoutStalls(response.body, this.#stallMs, abort)
    } finally {
      clearTimeout(slow)
      abort(new Error('nobody reads on'))
    }
  }
}
