import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { type WebSocket, WebSocketServer } from 'ws'
import { AlephClient } from '../src/index.ts'

let server: WebSocketServer
let client: AlephClient
let onConnection: (socket: WebSocket, query: URLSearchParams) => void

beforeEach(async () => {
  server = new WebSocketServer({ port: 0, host: '127.0.0.1' })
  await new Promise((resolve) => server.once('listening', resolve))
  server.on('connection', (socket, request) =>
    onConnection(socket, new URL(request.url!, 'http://x').searchParams),
  )
  client = new AlephClient({ apiUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}` })
})

afterEach(async () => {
  for (const socket of server.clients) socket.terminate()
  await new Promise((resolve) => server.close(resolve))
})

function frame(hash: string): string {
  return JSON.stringify({
    item_hash: hash,
    type: 'POST',
    chain: 'ETH',
    sender: '0xa',
    item_type: 'inline',
    time: Date.now() / 1000,
  })
}

it('delivers messages as they come, with the filters asked for, until aborted', async () => {
  const queries: string[] = []
  onConnection = (socket, query) => {
    queries.push(query.toString())
    socket.send('not a message')
    socket.send(frame('one'))
    socket.send(frame('two'))
  }
  const controller = new AbortController()
  const seen: string[] = []
  const options = { channels: ['my-app'], history: 5, signal: controller.signal }
  for await (const message of client.watchMessages(options)) {
    seen.push(message.item_hash)
    if (seen.length === 2) controller.abort()
  }
  expect(seen).toEqual(['one', 'two'])
  expect(queries).toEqual(['channels=my-app&history=5'])
})

it('takes a lost connection up again and delivers what was missed only once', async () => {
  let connections = 0
  onConnection = (socket) => {
    connections++
    if (connections === 1) return socket.send(frame('one'), () => socket.close())
    for (const hash of ['one', 'two']) socket.send(frame(hash))
  }
  const seen: string[] = []
  for await (const message of client.watchMessages()) {
    seen.push(message.item_hash)
    if (seen.length === 2) break
  }
  expect(seen).toEqual(['one', 'two'])
  expect(connections).toBe(2)
})
