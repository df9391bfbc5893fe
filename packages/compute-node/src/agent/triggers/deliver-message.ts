import { once } from 'node:events'
import { type IncomingMessage, request } from 'node:http'
import type { ProgramLease } from '../programs/program-host.ts'

/** Where a program hears of messages; an ASGI application gets the event `aleph.message` instead. */
const PATH = '/.well-known/aleph/message'

/**
 * Tells a program of a message: a POST of its JSON that no client can make, as `Aleph-Event` is the node's alone to say
 * (protocol 05 §5.5). What the program answers besides its status is not read. Throws what the connection throws, and
 * AbortError after the program's `resources.seconds`.
 *
 * @returns the status of the answer.
 */
export async function deliverMessage({ facts, connections }: ProgramLease, message: object): Promise<number> {
  const body = Buffer.from(JSON.stringify(message))
  const outgoing = request({
    createConnection: connections.createConnection.bind(connections),
    method: 'POST',
    path: PATH,
    headers: {
      host: 'localhost',
      'aleph-event': 'message',
      'content-type': 'application/json',
      'content-length': body.length,
      connection: 'close',
    },
    signal: AbortSignal.timeout(facts.seconds * 1000),
  })
  try {
    outgoing.end(body)
    const [answer] = (await once(outgoing, 'response')) as [IncomingMessage]
    return answer.statusCode ?? 0
  } finally {
    outgoing.on('error', () => undefined).destroy()
  }
}
