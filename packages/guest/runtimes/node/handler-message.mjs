/** Node's incoming message with few headers taken out. */

import { IncomingMessage } from 'node:http'

/** @param {string[]} rawHeaders */
function pick(rawHeaders) {
  /** @type {import('node:http').IncomingHttpHeaders} */
  const picked = { host: undefined, expect: undefined, 'x-forwarded-proto': undefined }
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const value = rawHeaders[i + 1]
    switch (rawHeaders[i]?.toLowerCase()) {
      case 'host':
        picked.host ??= value
        break
      case 'expect':
        picked.expect ??= value
        break
      case 'x-forwarded-proto':
        picked['x-forwarded-proto'] ??= value
        break
    }
  }
  return picked
}

/**
 * An object of all headers would have another shape for each client, which V8 has to learn at the first request; Node's
 * server and the request's URL ask for three of them. `rawHeaders` has all.
 */
export class HandlerMessage extends IncomingMessage {
  /** @type {import('node:http').IncomingHttpHeaders | null} */
  #headers = null

  // @ts-expect-error Node's is an accessor too, and declared as a property.
  /** @override */ get headers() {
    this.#headers ??= pick(this.rawHeaders)
    return this.#headers
  }
}
