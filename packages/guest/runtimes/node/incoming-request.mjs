/** The request that a handler gets: it takes from Node's message what is asked for, and when. */

import { Readable } from 'node:stream'
import { passFor, replaceHeaders } from './stand-in.mjs'

const NativeRequest = globalThis.Request
const decoder = new TextDecoder()

/** @param {import('node:http').IncomingMessage} incoming */
function toUrl(incoming) {
  const { url = '/', headers } = incoming
  const protocol = headers['x-forwarded-proto'] === 'https' ? 'https' : 'http'
  return new URL(`${protocol}://${headers.host || 'localhost'}${url.startsWith('/') ? url : '/'}`).href
}

/** @param {import('node:http').IncomingMessage} incoming */
function toHeaders({ rawHeaders }) {
  const headers = new Headers()
  for (let i = 0; i + 1 < rawHeaders.length; i += 2)
    headers.append(rawHeaders[i] ?? '', rawHeaders[i + 1] ?? '')
  return headers
}

function clientGone() {
  return Object.assign(new Error('aborted'), { code: 'ECONNRESET' })
}

/** @param {import('node:http').IncomingMessage} incoming @returns {Promise<Buffer>} */
function readWhole(incoming) {
  return new Promise((resolve, reject) => {
    if (incoming.destroyed) return reject(clientGone())
    /** @type {Buffer[]} */
    const chunks = []
    incoming.on('data', (chunk) => chunks.push(chunk))
    incoming.once('end', () => resolve(Buffer.concat(chunks)))
    incoming.once('close', () => incoming.complete || reject(clientGone()))
  })
}

/** A `Request` made of Node's message (protocol of the URL by `x-forwarded-proto`), with undici's behind it when needed. */
export class IncomingRequest {
  #incoming
  #outgoing
  #hasBody
  #bodyTaken = false
  /** @type {string | undefined} */
  #url
  /** @type {Headers | undefined} */
  #headers
  /** @type {AbortSignal | undefined} */
  #signal
  /** @type {Request | undefined} */
  #native

  /** @param {import('node:http').IncomingMessage} incoming @param {import('node:http').ServerResponse} outgoing */
  constructor(incoming, outgoing) {
    if (incoming.method === 'TRACE') throw new TypeError("'TRACE' HTTP method is unsupported.")
    this.#incoming = incoming
    this.#outgoing = outgoing
    this.#hasBody = incoming.method !== 'GET' && incoming.method !== 'HEAD'
    // Otherwise Node would drop a body that is not read before the answer is sent.
    if (this.#hasBody) incoming.read(0)
  }

  /** Node's own request, of which undici can make others; any other value stays as it is. @param {unknown} value */
  static toNative(value) {
    return typeof value === 'object' && value !== null && #incoming in value ? value.#toNative() : value
  }

  get method() {
    return this.#incoming.method
  }

  get url() {
    this.#url ??= toUrl(this.#incoming)
    return this.#url
  }

  get headers() {
    this.#headers ??= toHeaders(this.#incoming)
    return this.#headers
  }

  get signal() {
    this.#signal ??= this.#watchClient()
    return this.#signal
  }

  get body() {
    return this.#hasBody ? this.#toNative().body : null
  }

  get bodyUsed() {
    return this.#native ? this.#native.bodyUsed : this.#bodyTaken
  }

  text() {
    return this.#takeBody()?.then((bytes) => decoder.decode(bytes)) ?? this.#toNative().text()
  }

  json() {
    return this.#takeBody()?.then((bytes) => JSON.parse(decoder.decode(bytes))) ?? this.#toNative().json()
  }

  bytes() {
    return this.#takeBody()?.then((bytes) => new Uint8Array(bytes)) ?? this.#toNative().bytes()
  }

  arrayBuffer() {
    return this.#takeBody()?.then((bytes) => new Uint8Array(bytes).buffer) ?? this.#toNative().arrayBuffer()
  }

  /** The body's bytes without a stream; null where undici's request knows better. */
  #takeBody() {
    if (this.#native || this.#bodyTaken || !this.#hasBody) return null
    this.#bodyTaken = true
    return readWhole(this.#incoming)
  }

  #watchClient() {
    const outgoing = this.#outgoing
    const aborted = new AbortController()
    const abort = () => {
      if (!outgoing.writableFinished) aborted.abort(new Error('The client went away'))
    }
    if (outgoing.destroyed) abort()
    else outgoing.once('close', abort)
    return aborted.signal
  }

  #toNative() {
    if (this.#native) {
      // The headers that the handler was given may have changed since.
      replaceHeaders(this.#native.headers, this.headers)
      return this.#native
    }
    const { method, url, headers, signal } = this
    const body = this.#hasBody ? this.#bodyStream() : null
    this.#native = new NativeRequest(url, { method, headers, signal, body, duplex: 'half' })
    if (this.#bodyTaken) this.#native.bytes().catch(() => {})
    return this.#native
  }

  /** @returns {any} */
  #bodyStream() {
    if (this.#bodyTaken) return new ReadableStream()
    if (!this.#incoming.destroyed) return Readable.toWeb(this.#incoming)
    return new ReadableStream({ start: (controller) => controller.error(clientGone()) })
  }
}

passFor(IncomingRequest, NativeRequest, IncomingRequest.toNative)
