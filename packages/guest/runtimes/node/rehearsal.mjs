/** Runs through what serving a request takes before there is one, so that the first one finds it done. */

import { once } from 'node:events'
import { connect } from 'node:net'
import { createHandlerServer } from './handler-server.mjs'

const rounds = 12

const headers = [
  'host: localhost',
  'accept: */*',
  'accept-encoding: gzip',
  'user-agent: rehearsal',
  'x-forwarded-for: 127.0.0.1',
  'x-forwarded-proto: http',
  'connection: keep-alive',
].join('\r\n')

const requests = [
  `GET /rehearsal?query=1 HTTP/1.1\r\n${headers}\r\n\r\n`,
  `POST /rehearsal HTTP/1.1\r\n${headers}\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}`,
]

/**
 * What V8 learns of objects' shapes it forgets when it collects the last object of a shape: these stay.
 *
 * @type {unknown[]}
 */
const kept = []

/** What most handlers do. @param {Request} request */
async function handle(request) {
  const { pathname, searchParams } = new URL(request.url)
  const response =
    request.method === 'POST'
      ? Response.json(await request.json())
      : new Response(`${pathname} ${searchParams.get('query')} ${request.headers.get('host')}`)
  kept.push(request, response)
  return response
}

/**
 * Sends requests through a server of the same make as the program's. What Node loads and compiles for them is then
 * part of the snapshot that later starts begin from, and, in a standby, translated by the emulator.
 */
export async function rehearse() {
  kept.length = 0
  const server = createHandlerServer(handle)
  server.on('request', (incoming, outgoing) => kept.push(incoming, outgoing, incoming.socket))
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address())
  for (let round = 0; round < rounds; round++) {
    const socket = connect(port, '127.0.0.1')
    for (const request of requests) {
      socket.write(request)
      await once(socket, 'data')
    }
    socket.end()
    await once(socket.resume(), 'close')
  }
  server.close()
}
