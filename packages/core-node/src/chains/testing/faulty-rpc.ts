import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface RpcCall {
  method: string
  params: unknown[]
}

/** What to answer instead of the chain: a status with any body, or `hang up`. */
export type Fault = { status: number; body: unknown } | 'hang up'

/**
 * A JSON-RPC endpoint in front of a real one that can be told to fail: `fault` sees every call first.
 * While `fault` is undefined it only passes on.
 */
export class FaultyRpc {
  readonly calls: RpcCall[] = []
  fault: ((call: RpcCall) => Fault | undefined | Promise<Fault | undefined>) | undefined
  readonly #target: string
  readonly #server: Server

  constructor(target: string) {
    this.#target = target
    this.#server = createServer((request, response) => {
      const chunks: Buffer[] = []
      request.on('data', (chunk: Buffer) => chunks.push(chunk))
      request.on('end', () => {
        this.#answer(Buffer.concat(chunks)).then(
          (answer) => {
            if (answer === 'hang up') return response.destroy()
            response.writeHead(answer.status, { 'content-type': 'application/json' })
            response.end(JSON.stringify(answer.body))
          },
          () => response.destroy(),
        )
      })
    })
  }

  async start(): Promise<void> {
    this.#server.listen(0, '127.0.0.1')
    await once(this.#server, 'listening')
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections()
    this.#server.close()
    await once(this.#server, 'close')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  async #answer(body: Buffer): Promise<Fault> {
    const call = JSON.parse(body.toString()) as RpcCall
    this.calls.push(call)
    const fault = await this.fault?.(call)
    if (fault) return fault
    const response = await fetch(this.#target, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body,
    })
    return { status: response.status, body: await response.json() }
  }
}
