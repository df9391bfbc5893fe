import { once } from 'node:events'
import { get } from 'node:http'
import { connect } from 'node:net'
import pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { defaultLimits } from '../../src/config.ts'
import { TestNode } from '../testing/test-node.ts'
import { newWallet, post } from '../testing/wallet.ts'

let node: TestNode

beforeAll(async () => {
  // Long enough for every other query of a busy machine.
  node = await TestNode.start({ config: { limits: { ...defaultLimits, queryMs: 2_000 } } })
})

afterAll(async () => node?.[Symbol.asyncDispose]())

test('a query that takes too long is cancelled, and the client told to come back', async () => {
  const { connectionString } = node.node.context.pool.options
  const other = new pg.Client({ connectionString })
  await other.connect()
  try {
    await other.query('begin; lock table messages in access exclusive mode')
    const response = await fetch(`${node.node.url}/api/v0/messages.json`)
    expect(response.status).toBe(503)
    expect(response.headers.get('retry-after')).toBe('1')
    expect(await response.json()).toMatchObject({ code: 'query_timeout', retryable: true })
  } finally {
    await other.end()
  }
  expect((await node.get('/api/v0/messages.json')).status).toBe(200)
})

test('long answers are compressed for those who can read it, short ones and files are not', async () => {
  const wallet = newWallet()
  for (let index = 0; index < 5; index++) await node.publish(post(wallet, 'x'.repeat(500)))
  const { hash } = (await node.upload('x'.repeat(5000))).body
  const encodingOf = (path: string, accepted: string) =>
    new Promise((resolve, reject) => {
      const headers = { 'accept-encoding': accepted }
      get(`${node.node.url}${path}`, { headers }, (response) => {
        response.resume()
        resolve(response.headers['content-encoding'])
      }).on('error', reject)
    })
  expect(await encodingOf('/api/v0/messages.json', 'gzip, deflate, br')).toBe('br')
  expect(await encodingOf('/api/v0/posts.json', 'gzip, deflate')).toBe('gzip')
  expect(await encodingOf('/api/v0/messages.json', 'identity')).toBeUndefined()
  expect(await encodingOf('/api/v0/version', 'gzip')).toBeUndefined()
  expect(await encodingOf(`/api/v0/storage/raw/${hash}`, 'gzip, br')).toBeUndefined()
})

test('every answer has a request id, that of the caller if it is a decent one', async () => {
  const idOf = async (path: string, given?: string) => {
    const headers = given ? { 'x-request-id': given } : undefined
    return (await fetch(`${node.node.url}${path}`, { headers })).headers.get('x-request-id')
  }
  expect(await idOf('/version', 'request-1234')).toBe('request-1234')
  expect(await idOf('/nowhere', 'request-1234')).toBe('request-1234')
  expect(await idOf('/version', '<script>')).toMatch(/^[\da-f-]{36}$/)
  expect(await idOf('/api/v0/messages/%ff')).toMatch(/^[\da-f-]{36}$/)
})

test('too many requests of one address are turned away for a while', async () => {
  await using node = await TestNode.start({
    config: { limits: { ...defaultLimits, requestsPerMinute: 3 } },
  })
  for (let count = 0; count < 3; count++) expect((await node.get('/version')).status).toBe(200)
  const response = await fetch(`${node.node.url}/version`)
  expect(response.status).toBe(429)
  expect(Number(response.headers.get('retry-after'))).toBeGreaterThan(0)
  expect(await response.json()).toMatchObject({ code: 'too_many_requests', retryable: true })
})

test('a client that reads nothing and answers nothing does not keep the node from stopping', async () => {
  const node = await TestNode.start()
  const { hostname, port } = new URL(node.node.url)
  const key = Buffer.alloc(16).toString('base64')
  const socket = connect(Number(port), hostname)
  socket.write(
    `GET /api/ws0/messages HTTP/1.1\r\nhost: a\r\nupgrade: websocket\r\nconnection: upgrade\r\n` +
      `sec-websocket-version: 13\r\nsec-websocket-key: ${key}\r\n\r\n`,
  )
  const [answer] = (await once(socket, 'data')) as [Buffer]
  expect(answer.toString()).toMatch(/^HTTP\/1\.1 101 /)
  socket.pause()
  const events = await fetch(`${node.node.url}/api/v1/events`)
  await node[Symbol.asyncDispose]()
  expect(await events.text()).toContain('event: bye')
  socket.destroy()
})
