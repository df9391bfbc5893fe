import compress from '@fastify/compress'
import cors from '@fastify/cors'
import websocket from '@fastify/websocket'
import Fastify, { type FastifyError, type FastifyInstance } from 'fastify'
import type { ContentFetcher, CoreNodeContext } from '../context.ts'
import { isDatabaseAway } from '../database/pool.ts'
import { InboxUnavailableError } from '../inbox/inbox.ts'
import type { Outcomes } from '../pipeline/outcomes.ts'
import type { Placement } from '../placement/placement.ts'
import { placementRoutes } from '../placement/placement-routes.ts'
import { accountRoutes } from './account-routes.ts'
import { aggregateRoutes } from './aggregate-routes.ts'
import { ApiError, QueryError } from './api-error.ts'
import { didRoutes } from './did-routes.ts'
import { feedRoutes } from './feed-routes.ts'
import { fileRoutes } from './file-routes.ts'
import { messageRoutes } from './message-routes.ts'
import { nodeRoutes } from './node-routes.ts'
import { postRoutes } from './post-routes.ts'
import { priceRoutes } from './price-routes.ts'
import { publishRoutes } from './publish-routes.ts'
import { uploadRoutes } from './upload-routes.ts'

/** What the API needs beside the context. */
export interface ApiServices {
  outcomes: Outcomes
  placement: Placement
  fetcher: ContentFetcher
  nodeMultiaddrs: () => string[]
}

/** Requests that are slower than this to arrive are dropped, ms. */
const requestTimeoutMs = 300_000

/** The public API of a core node (protocol 03), ready to listen. */
export async function createServer(
  context: CoreNodeContext,
  services: ApiServices,
): Promise<FastifyInstance> {
  const server = Fastify({
    logger: false,
    bodyLimit: context.config.limits.bodyBytes,
    requestTimeout: requestTimeoutMs,
    forceCloseConnections: 'idle',
    routerOptions: { maxParamLength: 512 },
  })
  // The API is public and has no sessions: any page may call it.
  await server.register(cors, {
    origin: '*',
    methods: ['GET', 'HEAD', 'POST'],
    maxAge: 600,
    exposedHeaders: '*',
  })
  await server.register(compress, { global: false, encodings: ['br', 'gzip', 'deflate'] })
  await server.register(websocket, { options: { maxPayload: 64 * 1024 } })
  server.setErrorHandler((error: FastifyError, _request, reply) => {
    const { statusCode, body, headers = {} } = describeError(error)
    if (statusCode >= 500 && statusCode !== 503) context.logger.error({ err: error }, 'a request failed')
    reply.code(statusCode).headers(headers).send(body)
  })
  server.setNotFoundHandler((_request, reply) => {
    reply.code(404).send({ error: '404: Not Found', code: 'not_found' })
  })
  for (const routes of [
    publishRoutes,
    messageRoutes,
    feedRoutes,
    postRoutes,
    aggregateRoutes,
    fileRoutes,
    uploadRoutes,
    accountRoutes,
    priceRoutes,
    didRoutes,
    nodeRoutes,
  ]) {
    await server.register(routes(context, services))
  }
  await server.register(placementRoutes(services.placement))
  return server
}

interface ErrorAnswer {
  statusCode: number
  body: unknown
  headers?: Record<string, string>
}

function describeError(error: FastifyError): ErrorAnswer {
  if (error instanceof ApiError) return { statusCode: error.statusCode, body: error.body() }
  if (error instanceof QueryError) return { statusCode: 422, body: error.issues }
  if (error instanceof InboxUnavailableError || isDatabaseAway(error)) {
    const message =
      error instanceof InboxUnavailableError ? error.message : 'The database is away; try again later'
    return { statusCode: 503, body: { error: message, code: 'unavailable' }, headers: { 'retry-after': '1' } }
  }
  const statusCode = error.statusCode ?? 500
  if (statusCode === 413) {
    const body = { error: 'Maximum request body size exceeded.', code: 'body_too_large' }
    return { statusCode, body }
  }
  if (statusCode < 500) {
    // A body that is not JSON is a message that breaks the format, not a broken request (protocol 03 §4.8).
    const isBody = statusCode === 400 && error.code?.startsWith('FST_ERR_CTP')
    return {
      statusCode: isBody || error instanceof SyntaxError ? 422 : statusCode,
      body: { error: error.message, code: 'bad_request' },
    }
  }
  return { statusCode: 500, body: { error: 'Internal error', code: 'internal_error' } }
}
