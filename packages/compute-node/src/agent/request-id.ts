import { randomUUID } from 'node:crypto'
import type { IncomingMessage } from 'node:http'

const ids = new WeakMap<IncomingMessage, string>()

/**
 * What a request is called in answers (`X-Request-Id`), in logs and to the program it is for: the caller's own id when
 * it is a decent one, else one of ours.
 */
export function requestIdOf(request: IncomingMessage): string {
  let id = ids.get(request)
  if (id === undefined) {
    const given = request.headers['x-request-id']
    id = typeof given === 'string' && /^[\w.-]{8,64}$/.test(given) ? given : randomUUID()
    ids.set(request, id)
  }
  return id
}
