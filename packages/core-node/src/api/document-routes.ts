import { readFileSync } from 'node:fs'
import { apiRoutes, openApiDocument } from '@aleph-ts/protocol'
import type { FastifyInstance } from 'fastify'
import { version } from '../version.ts'

/** The page is one file without anything from elsewhere. */
const page = readFileSync(new URL('./reference-page.html', import.meta.url), 'utf8')

/** What this API is, for programs (OpenAPI 3.1) and for people. */
export function documentRoutes() {
  const document = JSON.stringify(openApiDocument(apiRoutes, version))

  return async (server: FastifyInstance): Promise<void> => {
    for (const path of ['/openapi.json', '/api/docs/swagger.json']) {
      server.get(path, { compress: {} }, (_request, reply) => {
        reply.type('application/json; charset=utf-8').header('cache-control', 'max-age=300').send(document)
      })
    }
    server.get('/docs', { compress: {} }, (_request, reply) => {
      reply
        .type('text/html; charset=utf-8')
        .header('content-security-policy', "default-src 'self' 'unsafe-inline'; frame-ancestors 'none'")
        .send(page)
    })
    for (const path of ['/', '/docs/', '/api/docs', '/api/docs/']) {
      server.get(path, (_request, reply) => reply.redirect('/docs'))
    }
  }
}
