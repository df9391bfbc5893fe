import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { registeredRequests } from './registered-request.ts'

let server: Server
let port: number
let asked = 0
const options = () => ({ signal: AbortSignal.timeout(5_000), maxBytes: 100 })

beforeAll(async () => {
  server = createServer((request, response) => {
    asked += 1
    if (request.url === '/away') return response.writeHead(302, { location: 'http://127.0.0.1/' }).end()
    return request.pipe(response.writeHead(request.url === '/' ? 200 : 404))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  port = (server.address() as AddressInfo).port
})
afterAll(() => {
  server.closeAllConnections()
  server.close()
})

test.each(['127.0.0.1', 'localhost', '[::1]', '[::ffff:127.0.0.1]', '2130706433', '0x7f000001', '127.1'])(
  'an address like http://%s/ is not connected to',
  async (host) => {
    const { ask } = registeredRequests({ allowPrivate: false })
    await expect(ask(`http://${host}:${port}/`, options())).rejects.toMatchObject({ code: 'private_address' })
    expect(asked).toBe(0)
  },
)

test('a long answer is not fetched from there either', async () => {
  const { open } = registeredRequests({ allowPrivate: false })
  const url = `http://localhost:${port}/`
  await expect(open(url, options())).rejects.toMatchObject({ code: 'private_address' })
  expect(asked).toBe(0)
})

test('in a network of private addresses it is', async () => {
  const { ask } = registeredRequests({ allowPrivate: true })
  const body = Buffer.from('hello')
  const answer = await ask(`http://localhost:${port}/`, { ...options(), method: 'POST', body })
  expect({ status: answer.status, text: answer.body.toString() }).toEqual({ status: 200, text: 'hello' })
})

test('answers that are too long, redirects and silence harm nobody', async () => {
  const { ask } = registeredRequests({ allowPrivate: true })
  const body = Buffer.alloc(101)
  await expect(ask(`http://127.0.0.1:${port}/`, { ...options(), method: 'POST', body })).rejects.toThrow(
    /more than 100/,
  )
  expect((await ask(`http://127.0.0.1:${port}/away`, options())).status).toBe(302)
  await expect(
    ask(`http://127.0.0.1:${port}/`, { ...options(), signal: AbortSignal.abort() }),
  ).rejects.toThrow()
})
