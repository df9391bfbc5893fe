/** Responses whose body is at hand: they need no stream. */

import { isArrayBuffer, isUint8Array } from 'node:util/types'
import { passFor, replaceHeaders } from './stand-in.mjs'

const NativeResponse = globalThis.Response
const nativeJson = NativeResponse.json
const textType = 'text/plain;charset=UTF-8'
const reasonPhrase = /^[\t\x20-\x7e\x80-\xff]*$/

/** @param {number} status */
const allowsBody = (status) => status !== 204 && status !== 205 && status !== 304

/** A list keeps several Set-Cookie headers apart. @param {Headers} headers */
export function listHeaders(headers) {
  /** @type {string[]} */
  const list = []
  for (const [name, value] of headers) list.push(name, value)
  return list
}

/** A `Response` of text, bytes or nothing, with undici's behind it when a program reads or clones it. */
export class PlainResponse {
  /** @type {string | Uint8Array | null} */
  #body
  #status
  #statusText
  #headers
  #type
  #taken = false
  /** @type {Response | undefined} */
  #native

  /**
   * @param {string | Uint8Array | null} body
   * @param {number} status @param {string} statusText
   * @param {Headers | undefined} headers
   * @param {string | null} type Content type where the headers name none.
   */
  constructor(body, status, statusText, headers, type) {
    this.#body = body
    this.#status = status
    this.#statusText = statusText
    this.#headers = headers
    this.#type = type
    if (headers && type !== null && !headers.has('content-type')) headers.append('content-type', type)
  }

  /**
   * Takes the body for sending, once; undefined for anything but a plain response that nobody has read or sent.
   *
   * @param {object} response
   */
  static takeBody(response) {
    if (!(#body in response) || response.#native || response.#taken) return undefined
    response.#taken = true
    return response.#body
  }

  /** The headers to send, in a list, without making an object of them. @param {PlainResponse} response */
  static listHeaders(response) {
    if (response.#headers) return listHeaders(response.#headers)
    return response.#type === null ? [] : ['content-type', response.#type]
  }

  /** @param {unknown} value @returns {value is PlainResponse} */
  static is(value) {
    return typeof value === 'object' && value !== null && #body in value
  }

  /** Node's own response. @param {PlainResponse} response */
  static toNative(response) {
    return response.#toNative()
  }

  get status() {
    return this.#status
  }

  get statusText() {
    return this.#statusText
  }

  get ok() {
    return this.#status < 300
  }

  get headers() {
    if (!this.#headers) {
      this.#headers = new Headers()
      if (this.#type !== null) this.#headers.append('content-type', this.#type)
    }
    return this.#headers
  }

  #toNative() {
    if (this.#native) {
      // The headers that the program was given may have changed since.
      replaceHeaders(this.#native.headers, this.headers)
      return this.#native
    }
    // Text would bring its content type along.
    const body = typeof this.#body === 'string' ? Buffer.from(this.#body) : this.#body
    const { status, statusText, headers } = this
    this.#native = new NativeResponse(body, { status, statusText, headers })
    if (this.#taken) this.#native.bytes().catch(() => {})
    this.#body = null
    return this.#native
  }
}

passFor(PlainResponse, NativeResponse, PlainResponse.toNative)

/** @param {any} body @returns {string | Uint8Array | null | undefined} A copy; undefined for what is not plain. */
function copyPlain(body) {
  if (body === undefined || body === null) return null
  if (typeof body === 'string') return body
  if (isUint8Array(body)) return Buffer.from(body)
  return isArrayBuffer(body) ? Buffer.from(new Uint8Array(body)) : undefined
}

/**
 * @param {any} body @param {any} init @param {string | null} type
 * @returns {PlainResponse | null} Null for all that is not plain, or not valid: undici knows what to say.
 */
function createPlain(body, init, type) {
  const plain = copyPlain(body)
  if (plain === undefined || (init && typeof init !== 'object')) return null
  const { status = 200, statusText = '', headers } = init ?? {}
  if (!Number.isInteger(status) || status < 200 || status > 599) return null
  if (plain !== null && !allowsBody(status)) return null
  if (statusText !== '' && !(typeof statusText === 'string' && reasonPhrase.test(statusText))) return null
  return new PlainResponse(
    plain,
    status,
    statusText,
    headers == null ? undefined : new Headers(headers),
    type,
  )
}

/** What `new Response(body, init)` gives. @param {any} body @param {any} init */
export function createResponse(body, init) {
  const type = typeof body === 'string' ? textType : null
  return createPlain(body, init, type) ?? new NativeResponse(body, init)
}

/** What `Response.json(data, init)` gives. @param {any} data @param {any} init */
export function createJsonResponse(data, init) {
  const text = JSON.stringify(data)
  const plain = text === undefined ? null : createPlain(text, init, 'application/json')
  return plain ?? nativeJson(data, init)
}
