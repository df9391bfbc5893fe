import { STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { ApiError, completeFailure } from './api-error.ts'

/** Answers a request whose path cannot be read: bad percent-encoding, or a part that is too long. */
export function answerBadPath(error: Error, request: FastifyRequest, reply: FastifyReply): void {
  const body = { error: `400: Bad Request: ${error.message.slice(0, 300)}`, code: 'bad_path', path: 'path' }
  reply.header('x-request-id', request.id)
  reply.code(400).send(completeFailure(400, request.id, body))
}

/** Senders of what is no request have so long to read the answer, ms. */
const lingerMs = 1000
const statusOf: Record<string, number> = { HPE_HEADER_OVERFLOW: 431, ERR_HTTP_REQUEST_TIMEOUT: 408 }

/** Answers what is no request, and hangs up. */
export function answerBadBytes(
  this: FastifyInstance,
  error: Error & { code?: string },
  socket: Socket,
): void {
  if (error.code === 'ECONNRESET' || !socket.writable) return void socket.destroy()
  const status = statusOf[error.code ?? ''] ?? 400
  const reason = `${status}: ${STATUS_CODES[status]}`
  const requestId = crypto.randomUUID()
  const body = JSON.stringify(completeFailure(status, requestId, { error: reason, code: 'bad_request' }))
  // What is still on its way is read: closing before would take back the answer.
  socket.resume()
  setTimeout(() => socket.destroy(), lingerMs).unref()
  socket.end(
    [
      `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
      'content-type: application/json; charset=utf-8',
      `content-length: ${Buffer.byteLength(body)}`,
      `x-request-id: ${requestId}`,
      'connection: close',
      '',
      body,
    ].join('\r\n'),
  )
}

/** An ordinary request for a WebSocket. */
export function askForUpgrade(_request: FastifyRequest, reply: FastifyReply): never {
  reply.header('upgrade', 'websocket')
  throw new ApiError(426, 'websocket_required', '426: Upgrade Required: this path is a WebSocket', {
    path: 'header.upgrade',
  })
}
