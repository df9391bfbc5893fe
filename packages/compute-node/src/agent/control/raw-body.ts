import type { FastifyInstance, FastifyRequest } from 'fastify'
import { AgentError } from '../errors.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** The body as it came, which its sender may have signed; null when it was not read as text. */
    rawBody: string | null
  }
}

/** Clients announce JSON and send nothing, or send JSON and announce something else: both are taken. */
export function takeLaxJson(app: FastifyInstance, maxBytes: number): void {
  app.decorateRequest('rawBody', null)
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', { parseAs: 'string', bodyLimit: maxBytes }, (request, body, done) => {
    request.rawBody = String(body)
    try {
      done(null, body === '' ? null : JSON.parse(String(body)))
    } catch {
      done(new AgentError('invalid_request', 'Body is not valid JSON'))
    }
  })
}

/** All bytes of a request's body; null of an upload, which is not read as a whole. */
export function wholeBody({ rawBody, headers }: FastifyRequest): string | null {
  const isUpload = headers['content-type']?.toLowerCase().startsWith('multipart/') ?? false
  return rawBody ?? (isUpload ? null : '')
}
