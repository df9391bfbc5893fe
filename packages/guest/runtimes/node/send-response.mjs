/** Sends what a handler returned. */

import { Buffer } from 'node:buffer'
import { STATUS_CODES } from 'node:http'
import { listHeaders, PlainResponse } from './plain-response.mjs'

/** @typedef {import('node:http').ServerResponse} ServerResponse */

const ascii = /^[\0-\x7f]*$/
const nothing = Buffer.alloc(0)

/**
 * Resolves when the whole response was handed to the connection; rejects when the response's own stream fails.
 *
 * @param {ServerResponse} outgoing @param {Response | PlainResponse} response
 */
export async function sendResponse(outgoing, response) {
  // The node in front says the time.
  outgoing.sendDate = false
  const body = PlainResponse.takeBody(response)
  if (body !== undefined) sendPlain(outgoing, /** @type {PlainResponse} */ (response), body)
  else await sendStream(outgoing, /** @type {Response} */ (response))
}

/**
 * Head and body leave in one piece.
 *
 * @param {ServerResponse} outgoing @param {PlainResponse} response @param {string | Uint8Array | null} body
 */
function sendPlain(outgoing, response, body) {
  const headers = PlainResponse.listHeaders(response)
  let hasLength = false
  let isAscii = true
  for (let i = 0; i < headers.length; i += 2) {
    hasLength ||= headers[i] === 'content-length' || headers[i] === 'transfer-encoding'
    isAscii &&= ascii.test(headers[i + 1] ?? '')
  }
  if (body !== null && !hasLength) headers.push('content-length', String(Buffer.byteLength(body)))
  writeHead(outgoing, response, headers)
  if (body === null || outgoing.req.method === 'HEAD') outgoing.end()
  // Node would join head and text, and write both as UTF-8, where a head is Latin-1.
  else outgoing.end(isAscii ? body : Buffer.from(body))
}

/** @param {ServerResponse} outgoing @param {Response} response */
async function sendStream(outgoing, response) {
  const reader = response.body?.getReader()
  writeHead(outgoing, response, listHeaders(response.headers))
  if (!reader || outgoing.req.method === 'HEAD') {
    await reader?.cancel()
    outgoing.end()
    return
  }
  // The head goes ahead: the first bytes of the body may be long in coming.
  outgoing.write(nothing)
  outgoing.once('close', () => reader.cancel().catch(() => {}))
  for (;;) {
    const { done, value } = await reader.read()
    if (done || outgoing.destroyed) break
    if (!outgoing.write(value)) await new Promise((go) => outgoing.once('drain', go).once('close', go))
  }
  outgoing.end()
}

/** @param {ServerResponse} outgoing @param {Response | PlainResponse} response @param {string[]} headers */
function writeHead(outgoing, { status, statusText }, headers) {
  outgoing.writeHead(status, statusText || STATUS_CODES[status], headers)
}
