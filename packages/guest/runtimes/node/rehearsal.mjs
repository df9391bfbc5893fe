/** Runs through what serving a request takes before there is one, so that the first one finds it done. */

import { once } from 'node:events'
import { createServer } from 'node:http'
import { connect } from 'node:net'
import { createHandlerServer } from './handler-server.mjs'

/** V8 gives most functions a memory of the types they meet at the eighth call. */
const rounds = 12

/** What a call through the node in front brings. */
const headers = [
  'host: localhost',
  'accept: */*',
  'accept-language: *',
  'sec-fetch-mode: cors',
  'user-agent: node',
  'accept-encoding: gzip, deflate',
  'X-Forwarded-For: 127.0.0.1',
  'X-Forwarded-Proto: http',
  'X-Forwarded-Host: localhost',
  'X-Request-Id: 00000000-0000-0000-0000-000000000000',
  'X-Forwarded-Prefix: /vm',
  'Connection: keep-alive',
].join('\r\n')

const requests = [
  `GET / HTTP/1.1\r\n${headers}\r\n\r\n`,
  `GET /rehearsal?query=1 HTTP/1.1\r\n${headers}\r\n\r\n`,
  `POST /rehearsal HTTP/1.1\r\n${headers}\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}`,
]

/**
 * What V8 learns of objects' shapes it forgets when it collects the last object of a shape: these stay.
 *
 * @type {unknown[]}
 */
const kept = []

/** @typedef {import('node:http').IncomingMessage} IncomingMessage */
/** @typedef {import('node:http').ServerResponse} ServerResponse */

/** What most handlers do. @param {Request} request */
async function handle(request) {
  const { pathname, searchParams } = new URL(request.url)
  const response = await respond(request, pathname, searchParams.get('query'))
  kept.push(request, response)
  return response
}

/** @param {Request} request @param {string} pathname @param {string | null} query */
async function respond(request, pathname, query) {
  if (pathname === '/') return new Response('rehearsed')
  if (request.method === 'POST') return Response.json(await request.json())
  const headers = { 'content-type': 'text/html' }
  return new Response(`${query} ${request.headers.get('host')}`, { headers })
}

/** What a program does that has a server of its own. @param {IncomingMessage} incoming @param {ServerResponse} outgoing */
function handlePlainly(incoming, outgoing) {
  outgoing.setHeader('content-type', 'text/plain')
  outgoing.end(`${incoming.method} ${incoming.url} ${incoming.headers.host}`)
}

/**
 * Sends requests through servers of the same make as the program's. What Node loads and compiles for them is then
 * part of the snapshot that later starts begin from, and, in a standby, translated by the emulator.
 */
export async function rehearse() {
  kept.length = 0
  await callServer(createServer(handlePlainly), { host: '127.0.0.1', port: 0 })
  // The agent's connections come to the runtime's own server through a unix socket.
  await callServer(createHandlerServer(handle), { path: '\0aleph/rehearsal' })
}

/** @param {import('node:http').Server} server @param {import('node:net').ListenOptions} place */
async function callServer(server, place) {
  server.on('request', (incoming, outgoing) => kept.push(incoming, outgoing, incoming.socket))
  await once(server.listen(place), 'listening')
  const address = server.address()
  for (let round = 0; round < rounds; round++) {
    const socket = typeof address === 'object' ? connect(address?.port ?? 0, '127.0.0.1') : connect(address)
    for (const request of requests) {
      socket.write(request)
      await once(socket, 'data')
    }
    socket.end()
    await once(socket.resume(), 'close')
  }
  server.close()
}
