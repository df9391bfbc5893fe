import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'

export interface SeenRequest {
  method: string
  url: string
  headers: IncomingMessage['headers']
  body: Buffer
}

export type Answer = (request: SeenRequest, response: ServerResponse) => void | Promise<void>

/** An HTTP server whose answers a test writes itself, and which remembers what it was asked. */
export class FakeNode implements AsyncDisposable {
  readonly url: string
  readonly seen: SeenRequest[] = []
  readonly #server: ReturnType<typeof createServer>

  private constructor(server: ReturnType<typeof createServer>) {
    this.#server = server
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  }

  /** Routes are tried in order: `GET /path`, where the path is the beginning of the request's. */
  static async create(routes: Record<string, Answer>): Promise<FakeNode> {
    let node: FakeNode
    const server = createServer(async (request, response) => {
      const body = await buffer(request)
      const { method = 'GET', url = '/', headers } = request
      const seen = { method, url, headers, body }
      node.seen.push(seen)
      const route = Object.entries(routes).find(([key]) => `${method} ${url}`.startsWith(key))
      if (route) await route[1](seen, response)
      else json(404, { error: `no route for ${method} ${url}` })(seen, response)
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    node = new FakeNode(server)
    return node
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }
}

/** An answer with a JSON body. */
export function json(status: number, body: unknown, headers: Record<string, string> = {}): Answer {
  return (_request, response) => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers })
    response.end(JSON.stringify(body))
  }
}

/** Each request gets the next answer; the last one stays. */
export function inTurn(...answers: Answer[]): Answer {
  let count = 0
  return (request, response) => answers[Math.min(count++, answers.length - 1)]!(request, response)
}
