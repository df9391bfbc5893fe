import { Agent, request } from 'node:http'
import { connect } from 'node:net'
import { type ApiRoute, apiRoutes } from '@aleph-ts/protocol'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { TestNode } from '../testing/test-node.ts'
import { type BadRequest, badRequests } from './bad-requests.ts'

let node: TestNode
const agent = new Agent({ keepAlive: true, maxSockets: 8 })

beforeAll(async () => {
  node = await TestNode.start({ config: { logLevel: 'silent' } })
})

afterAll(async () => {
  agent.destroy()
  await node?.[Symbol.asyncDispose]()
})

interface Answer {
  status: number
  type: string
  text: string
}

function send({ method, path, headers = {}, body }: BadRequest): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = request(`${node.node.url}/`, { method, path, agent, headers }, (response) => {
      const { statusCode: status = 0, headers: answered } = response
      const type = answered['content-type'] ?? ''
      // A stream that was opened would go on for ever.
      if (type.startsWith('text/event-stream')) {
        response.destroy()
        return resolve({ status, type, text: '' })
      }
      let text = ''
      response.setEncoding('utf8').on('data', (part: string) => {
        text += part
      })
      response.on('end', () => resolve({ status, type, text }))
    })
    sent.on('error', reject).end(body)
  })
}

/** What is wrong with an answer to a bad request, if anything. */
function complaint(
  { mustFail }: BadRequest,
  { status, type, text }: Answer,
  route: ApiRoute,
): string | undefined {
  // No registry was published to this node.
  if (status === 503 && /"code":"(no_registry|unschedulable)"/.test(text)) return shapeComplaint(text)
  if (status >= 500 && !(status in (route.statuses ?? {}))) return `${status}: ${text}`
  if (status < 400) return mustFail ? `${status}, but it breaks the schema` : undefined
  if (!type.startsWith('application/json')) return `${status} as ${type}`
  return shapeComplaint(text)
}

function shapeComplaint(text: string): string | undefined {
  const body = JSON.parse(text) as Record<string, unknown>
  const { error, code, message, path, retryable, request_id } = body
  const isComplete =
    [error, code, message, request_id].every((field) => typeof field === 'string' && field !== '') &&
    typeof retryable === 'boolean' &&
    (path === null || typeof path === 'string')
  return isComplete ? undefined : `not the shape of failures: ${text.slice(0, 300)}`
}

test.each(Object.entries<ApiRoute>(apiRoutes))(
  '%s answers bad requests with 4xx and says why',
  async (_, route) => {
    const complaints: string[] = []
    const requests = badRequests(route)
    const worker = async () => {
      for (const bad of requests) {
        const found = complaint(bad, await send(bad), route)
        const { method, path, body, headers } = bad
        if (found) {
          complaints.push(
            `${method} ${path.slice(0, 200)} ${body?.slice(0, 100) ?? ''} ${JSON.stringify(headers ?? {}).slice(0, 100)}: ${found}`,
          )
        }
      }
    }
    await Promise.all(Array.from({ length: 8 }, worker))
    expect(complaints.slice(0, 10)).toEqual([])
  },
)

test.each([
  ['a JSON upload without a body', 'POST', '/api/v0/storage/add_json', 400],
  ['a JSON upload to IPFS without a body', 'POST', '/api/v0/ipfs/add_json', 400],
  ['a line break in a path', 'GET', '/api/v0/authorizations/granted/a%0Db.json', 404],
  ['a method that a path does not take', 'POST', '/api/v0/authorizations/granted/ab.json', 405],
])('%s is refused in the shape of failures', async (_, method, path, status) => {
  const answer = await send({ method, path } as BadRequest)
  expect(answer.status).toBe(status)
  expect(shapeComplaint(answer.text)).toBeUndefined()
})

test.each([
  ['no HTTP at all', 'hello\r\n\r\n'],
  ['a header without end', `GET /version HTTP/1.1\r\nhost: a\r\nx: ${'y'.repeat(100_000)}\r\n\r\n`],
  [
    'two lengths',
    'POST /api/v0/messages HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nxx',
  ],
  ['a line that is too long', `GET /version?${'z'.repeat(20_000)} HTTP/1.1\r\nhost: a\r\n\r\n`],
])('%s is answered with 4xx in the same shape', async (_, text) => {
  const { hostname, port } = new URL(node.node.url)
  const answer = await new Promise<string>((resolve, reject) => {
    let received = ''
    const socket = connect(Number(port), hostname, () => socket.write(text))
    socket.on('data', (part) => {
      received += part.toString()
    })
    socket.on('close', () => resolve(received)).on('error', reject)
  })
  expect(answer).toMatch(/^HTTP\/1\.1 4\d\d /)
  expect(shapeComplaint(answer.slice(answer.indexOf('\r\n\r\n') + 4))).toBeUndefined()
})

test('unknown paths and methods are answered in the same shape', async () => {
  for (const [method, path, status] of [
    ['GET', '/nowhere', 404],
    ['GET', '/api/v0/messages.json/', 404],
    ['DELETE', '/api/v0/messages.json', 405],
    ['POST', '/version', 405],
    ['PUT', '/%', 400],
  ] as const) {
    const answer = await send({ method, path, mustFail: true })
    expect([path, answer.status]).toEqual([path, status])
    expect(shapeComplaint(answer.text)).toBeUndefined()
  }
})

test('the node still works after all that', async () => {
  expect((await node.get('/api/v0/messages.json')).status).toBe(200)
})
