/** Node's HTTP server around a fetch handler. */

import { createServer } from 'node:http'
import { HandlerMessage } from './handler-message.mjs'
import { IncomingRequest } from './incoming-request.mjs'
import { PlainResponse } from './plain-response.mjs'
import { sendResponse } from './send-response.mjs'

/** @typedef {(request: Request) => Response | Promise<Response>} Handler */

/**
 * @param {Handler} handler
 * @param {import('node:http').IncomingMessage} incoming @param {import('node:http').ServerResponse} outgoing
 */
async function answer(handler, incoming, outgoing) {
  try {
    const request = /** @type {any} */ (new IncomingRequest(incoming, outgoing))
    const response = await handler(request)
    if (!PlainResponse.is(response) && !(response instanceof Response))
      throw new TypeError('The handler returned no Response')
    await sendResponse(outgoing, response)
  } catch (error) {
    const clientGone = outgoing.destroyed && !outgoing.writableFinished
    if (clientGone) return
    console.error(error)
    // After the first bytes only a broken connection can tell the client that the answer is not whole.
    if (outgoing.headersSent) outgoing.destroy()
    else outgoing.writeHead(500, { 'content-type': 'text/plain' }).end('Internal Server Error\n')
  }
}

/**
 * An HTTP server, not listening yet, that answers with what the handler returns.
 *
 * @param {Handler} handler
 */
export function createHandlerServer(handler) {
  const server = createServer({ IncomingMessage: HandlerMessage }, (incoming, outgoing) =>
    answer(handler, incoming, outgoing),
  )
  // The node in front has its own limits; a connection that idles through a snapshot must survive.
  server.keepAliveTimeout = 0
  server.headersTimeout = 0
  server.requestTimeout = 0
  return server
}
