/** Node's HTTP server around a fetch handler. */

import { createServer, STATUS_CODES } from 'node:http'
import { Readable } from 'node:stream'

/** @typedef {(request: Request) => Response | Promise<Response>} Handler */

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

/**
 * An HTTP server, not listening yet, that answers with what the handler returns.
 *
 * @param {Handler} handler
 */
export function createHandlerServer(handler) {
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
