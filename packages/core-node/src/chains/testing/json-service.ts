import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'

/** An answer that is none: a status, or `hang up`. */
export type Failure = { status: number } | 'hang up'

/** An HTTP service that answers JSON with JSON, and can be told to fail. */
export class JsonService {
  /** What was asked, in order. */
  readonly asked: unknown[] = []
  /** Sees every question first; while undefined, all are answered. */
  failure: ((question: unknown) => Failure | undefined) | undefined
  readonly #server: Server

  constructor(answer: (question: never) => unknown) {
    this.#server = createServer((request, response) => {
      const chunks: Buffer[] = []
      request.on('data', (chunk: Buffer) => chunks.push(chunk))
      request.on('end', () => {
        const question = JSON.parse(Buffer.concat(chunks).toString()) as never
        this.asked.push(question)
        const failure = this.failure?.(question)
        if (failure === 'hang up') return response.destroy()
        response.writeHead(failure?.status ?? 200, { 'content-type': 'application/json' })
        response.end(JSON.stringify(failure ? { error: 'out of order' } : answer(question)))
      })
    })
  }

  async start(): Promise<this> {
    this.#server.listen(0, '127.0.0.1')
    await once(this.#server, 'listening')
    return this
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections()
    this.#server.close()
    await once(this.#server, 'close')
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }
}
