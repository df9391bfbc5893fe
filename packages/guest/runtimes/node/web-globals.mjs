/** Puts requests and responses that cost less in the place of undici's, and leaves all else to those. */

import { IncomingRequest } from './incoming-request.mjs'
import { createJsonResponse, createResponse } from './plain-response.mjs'

const NativeRequest = globalThis.Request
const NativeResponse = globalThis.Response
const nativeFetch = globalThis.fetch

/** `Request`, which takes a handler's request for another one's model too. */
const Request = new Proxy(NativeRequest, {
  construct(target, args, newTarget) {
    if (args.length > 0) args[0] = IncomingRequest.toNative(args[0])
    return Reflect.construct(target, args, newTarget)
  },
})

/** `Response`, which makes no stream for a body that is at hand. @type {typeof NativeResponse} */
const Response = new Proxy(NativeResponse, {
  construct(target, args, newTarget) {
    if (newTarget === Response) return createResponse(args[0], args[1])
    return Reflect.construct(target, args, newTarget)
  },
})

/** @param {any} input @param {RequestInit} [init] */
async function fetch(input, init = undefined) {
  return nativeFetch(/** @type {any} */ (IncomingRequest.toNative(input)), init)
}

/** Has this process's programs use them. */
export function replaceWebGlobals() {
  NativeRequest.prototype.constructor = Request
  NativeResponse.prototype.constructor = Response
  NativeResponse.json = /** @type {typeof NativeResponse.json} */ (createJsonResponse)
  Object.assign(globalThis, { Request, Response, fetch })
}
