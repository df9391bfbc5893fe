/** Sends what a handler returned. */

import { STATUS_CODES } from 'node:http'
import { PlainResponse } from './plain-response.mjs'

/** @typedef {import('node:http').ServerResponse} ServerResponse */

const ascii = /^[\0-\x7f]*$/

/**
 * Resolves when the whole response was handed to the connection; rejects when the response's own stream fails.
 *
 * @param {ServerResponse} outgoing @param {Response} response
 */
export async function sendResponse(outgoing, response) {
  /** @type {string[]} */
  const headers = []
  // A list keeps several Set-Cookie headers apart.
  for (const [name, value] of response.headers) headers.push(name, value)
  const body = PlainResponse.takeBody(response)
  if (body !== undefined) sendPlain(outgoing, response, headers, body)
  else await sendStream(outgoing, response, headers)
}

/**
 * Head and body leave in one piece.
 *
 * @param {ServerResponse} outgoing @param {Response} response
 * @param {string[]} headers @param {string | Uint8Array | null} body
 */
function sendPlain(outgoing, response, headers, body) {
  const hasLength = response.headers.has('content-length') || response.headers.has('transfer-encoding')
  if (body !== null && !hasLength) headers.push('content-length', String(Buffer.byteLength(body)))
  writeHead(outgoing, response, headers)
  if (body === null || outgoing.req.method === 'HEAD') outgoing.end()
  // Node would join head and text, and write both as UTF-8, where a head is Latin-1.
  else if (typeof body === 'string' && !headers.every((text) => ascii.test(text)))
    outgoing.end(Buffer.from(body))
  else outgoing.end(body)
}

/** @param {ServerResponse} outgoing @param {Response} response @param {string[]} headers */
async function sendStream(outgoing, response, headers) {
  writeHead(outgoing, response, headers)
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

/** @param {ServerResponse} outgoing @param {Response} response @param {string[]} headers */
function writeHead(outgoing, { status, statusText }, headers) {
  outgoing.writeHead(status, statusText || STATUS_CODES[status], headers)
}
