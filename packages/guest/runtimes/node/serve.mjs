/**
 * Starts a program in the guest: imports its entrypoint and, when that exports a fetch handler
 * (`export default function (request: Request): Response`, or an object with such a `fetch`), serves HTTP with it.
 * A module that starts a server on PORT by itself is left to do so.
 */

import { once } from 'node:events'
import { existsSync, statSync } from 'node:fs'
import { createServer, STATUS_CODES } from 'node:http'
import { connect, Socket } from 'node:net'
import { join, resolve } from 'node:path'
import process from 'node:process'
import { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { pathToFileURL } from 'node:url'
import { offerRenewal } from './randomness.mjs'

/** @typedef {(request: Request) => Response | Promise<Response>} Handler */

let warm = false

const extensions = ['', '.ts', '.mts', '.js', '.mjs', '.cts', '.cjs']

/** @param {string} entrypoint @returns {string} */
function findModule(entrypoint) {
  const path = resolve('/code', entrypoint)
  for (const base of [path, join(path, 'index')])
    for (const extension of extensions)
      if (existsSync(base + extension) && statSync(base + extension).isFile()) return base + extension
  throw new Error(
    `There is no module "${entrypoint}" in the program (tried it with ${extensions.slice(1).join(', ')})`,
  )
}

/** @param {{ default?: unknown }} module @returns {Handler | null} */
function findHandler(module) {
  const exported = /** @type {any} */ (module.default)
  if (typeof exported === 'function') return exported
  if (typeof exported?.fetch === 'function') return exported.fetch.bind(exported)
  return null
}

/** @param {import('node:http').IncomingMessage} incoming @param {AbortSignal} signal */
function toRequest(incoming, signal) {
  const { method = 'GET', url = '/', rawHeaders } = incoming
  const headers = new Headers()
  for (let i = 0; i + 1 < rawHeaders.length; i += 2)
    headers.append(rawHeaders[i] ?? '', rawHeaders[i + 1] ?? '')
  const protocol = headers.get('x-forwarded-proto') === 'https' ? 'https' : 'http'
  const address = new URL(
    `${protocol}://${headers.get('host') || 'localhost'}${url.startsWith('/') ? url : '/'}`,
  )
  const hasBody = method !== 'GET' && method !== 'HEAD'
  const body = hasBody ? /** @type {any} */ (Readable.toWeb(incoming)) : null
  return new Request(address, { method, headers, body, signal, ...(hasBody && { duplex: 'half' }) })
}

/** @param {import('node:http').ServerResponse} outgoing @param {Response} response */
async function sendResponse(outgoing, response) {
  /** @type {string[]} */
  const headers = []
  // A list keeps several Set-Cookie headers apart.
  for (const [name, value] of response.headers) headers.push(name, value)
  outgoing.writeHead(response.status, response.statusText || STATUS_CODES[response.status], headers)
  if (response.body === null || outgoing.req.method === 'HEAD') {
    await response.body?.cancel()
    outgoing.end()
    return
  }
  outgoing.flushHeaders()
  const reader = response.body.getReader()
  outgoing.once('close', () => reader.cancel().catch(() => {}))
  for (;;) {
    const { done, value } = await reader.read()
    if (done || outgoing.destroyed) break
    if (!outgoing.write(value)) await new Promise((go) => outgoing.once('drain', go).once('close', go))
  }
  outgoing.end()
}

/** @param {Handler} handler */
function createHandlerServer(handler) {
  const server = createServer(async (incoming, outgoing) => {
    const aborted = new AbortController()
    outgoing.once('close', () => {
      if (!outgoing.writableFinished) aborted.abort(new Error('The client went away'))
    })
    try {
      const response = await handler(toRequest(incoming, aborted.signal))
      if (!(response instanceof Response)) throw new TypeError('The handler returned no Response')
      await sendResponse(outgoing, response)
    } catch (error) {
      if (aborted.signal.aborted) return
      console.error(error)
      // After the first bytes only a broken connection can tell the client that the answer is not whole.
      if (outgoing.headersSent) outgoing.destroy()
      else outgoing.writeHead(500, { 'content-type': 'text/plain' }).end('Internal Server Error\n')
    }
  })
  // The node in front has its own limits; a connection that idles through a snapshot must survive.
  server.keepAliveTimeout = 0
  server.headersTimeout = 0
  server.requestTimeout = 0
  return server
}

/**
 * Sends a request through a server of the same make before the real one listens: what Node loads and compiles at
 * the first request is then part of the snapshot that later starts begin from.
 */
async function warmUp() {
  warm = true
  const server = createHandlerServer(async (request) => new Response(await request.text()))
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address())
  const socket = connect(port, '127.0.0.1')
  socket.write('POST / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: 1\r\n\r\n.')
  await once(socket.resume(), 'close')
  server.close()
}

/** @param {Handler} handler */
async function serve(handler) {
  if (!warm) await warmUp()
  const server = createHandlerServer(handler)
  server.listen(Number(process.env.PORT ?? 8080), process.env.HOST ?? '127.0.0.1')
  process.once('SIGTERM', () => {
    server.close(() => process.exit(0))
    server.closeIdleConnections()
  })
}

/**
 * Waits for the program, when the agent started this process before there was one; meanwhile everything that a
 * program needs of Node is loaded and compiled, to be part of the snapshot that later starts begin from.
 *
 * @param {() => void} register
 */
async function receiveProgram(register) {
  const fd = Number(process.env.ALEPH_PROGRAM_FD)
  if (!Number.isInteger(fd) || fd < 3) return
  await warmUp()
  await import('/aleph/warm.ts')
  const handover = new Socket({ fd, readable: true, writable: false })
  register()
  const [folder, count, ...rest] = (await text(handover)).split('\0').slice(0, -1)
  const args = rest.slice(0, Number(count))
  for (const name of Object.keys(process.env)) delete process.env[name]
  for (const variable of rest.slice(Number(count))) {
    const equals = variable.indexOf('=')
    process.env[variable.slice(0, equals)] = variable.slice(equals + 1)
  }
  delete process.env.ALEPH_RENEW_FD
  process.argv.splice(2, Infinity, ...args)
  process.chdir(String(folder))
}

try {
  const register = offerRenewal()
  await receiveProgram(register)
  register()
  const path = findModule(process.argv[2] ?? 'index')
  process.argv.splice(1, 2, path)
  const handler = findHandler(await import(pathToFileURL(path).href))
  if (handler !== null) await serve(handler)
  else
    process.once('beforeExit', () => {
      console.error('The program exports no default handler and started no server on PORT')
      process.exit(1)
    })
} catch (error) {
  console.error(error)
  process.exit(1)
}
