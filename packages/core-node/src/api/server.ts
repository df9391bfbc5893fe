import { randomUUID } from 'node:crypto'
import compress from '@fastify/compress'
import cors from '@fastify/cors'
import rateLimit from '@fastify/rate-limit'
import websocket from '@fastify/websocket'
import Fastify, { type FastifyError, type FastifyInstance, type FastifyRequest } from 'fastify'
import type pg from 'pg'
import type { ContentFetcher, CoreNodeContext } from '../context.ts'
import type { Readable } from '../database/read-pools.ts'
import type { Outcomes } from '../pipeline/outcomes.ts'
import { arrivalRoutes } from '../placement/arrival-routes.ts'
import { computeListRoutes } from '../placement/compute-list-routes.ts'
import { heldPlanRoutes } from '../placement/held-plan-routes.ts'
import type { Placement } from '../placement/placement.ts'
import { placementRoutes } from '../placement/placement-routes.ts'
import { schedulerRoutes } from '../placement/scheduler-routes.ts'
import type { Registry } from '../registry/registry.ts'
import type { Rewards } from '../rewards/rewards.ts'
import type { ScoreBook } from '../scoring/score-book.ts'
import { accountRoutes } from './account-routes.ts'
import { aggregateRoutes } from './aggregate-routes.ts'
import { allowedMethods } from './allowed-methods.ts'
import { ApiError, completeFailure } from './api-error.ts'
import { authorizationRoutes } from './authorization-routes.ts'
import { balanceRoutes } from './balance-routes.ts'
import { answerBadBytes, answerBadPath } from './broken-requests.ts'
import { costRoutes } from './cost-routes.ts'
import { creditRoutes } from './credit-routes.ts'
import { describeError } from './describe-error.ts'
import { didRoutes } from './did-routes.ts'
import { documentRoutes } from './document-routes.ts'
import { eventRoutes } from './event-routes.ts'
import { feedRoutes } from './feed-routes.ts'
import { fileRoutes } from './file-routes.ts'
import { ipfsGatewayRoutes } from './ipfs-gateway-routes.ts'
import { ipfsUploadRoutes } from './ipfs-upload-routes.ts'
import { MessageHub } from './message-hub.ts'
import { messageRoutes } from './message-routes.ts'
import { nodeRoutes } from './node-routes.ts'
import { postRoutes } from './post-routes.ts'
import { priceRoutes } from './price-routes.ts'
import { proofRoutes } from './proof-routes.ts'
import { publishRoutes } from './publish-routes.ts'
import { registryRoutes } from './registry-routes.ts'
import { rewardRoutes } from './reward-routes.ts'
import { statsRoutes } from './stats-routes.ts'
import { closeSockets, cutSlowRequests } from './stopping.ts'
import { Totals } from './totals.ts'
import { uploadRoutes } from './upload-routes.ts'

/** What the API needs beside the context. */
export interface ApiServices {
  outcomes: Outcomes
  placement: Placement
  registry: Registry
  rewards: Rewards
  scores: ScoreBook
  fetcher: ContentFetcher
  nodeMultiaddrs: () => string[]
}

/**
 * What routes work with. `db` and `pool` read the database that takes writes, so that who has just written something
 * finds it: whatever is about one message, one file or one address, and everything live.
 */
export interface ApiContext extends CoreNodeContext {
  /** For lists of everybody's: may be a replica that is some moments behind. */
  replica: Readable
  /** Of lists; counts that take long have one queue. */
  totals: Totals
  /** Without a limit on time, for writing. */
  writes: pg.Pool
  /** Messages as they are processed, for whoever follows them. */
  hub: MessageHub
}

/** What other nodes and scoring need of a process that leaves clients to others, and what only it can compute. */
const routesOfProcessing = [fileRoutes, ipfsGatewayRoutes, nodeRoutes, registryRoutes, rewardRoutes]
const allRoutes = [
  ...routesOfProcessing,
  publishRoutes,
  messageRoutes,
  feedRoutes,
  eventRoutes,
  postRoutes,
  aggregateRoutes,
  authorizationRoutes,
  uploadRoutes,
  ipfsUploadRoutes,
  accountRoutes,
  balanceRoutes,
  statsRoutes,
  creditRoutes,
  priceRoutes,
  proofRoutes,
  costRoutes,
  didRoutes,
  documentRoutes,
]

/** Requests that are slower than this to arrive are dropped, ms: the largest archive at 10 Mbit/s. */
const requestTimeoutMs = 3_600_000

/** The public API of a core node (protocol 03), ready to listen. */
export async function createServer(
  context: Omit<ApiContext, 'hub' | 'totals'>,
  services: ApiServices,
): Promise<FastifyInstance> {
  const server = Fastify({
    logger: false,
    bodyLimit: context.config.limits.bodyBytes,
    requestTimeout: requestTimeoutMs,
    // A reverse proxy on this machine says for whom it asks.
    trustProxy: 'loopback',
    genReqId: requestId,
    forceCloseConnections: 'idle',
    routerOptions: { maxParamLength: 512 },
    frameworkErrors: answerBadPath,
    clientErrorHandler: answerBadBytes,
  })
  const hub = new MessageHub(context)
  hub.start()
  server.addHook('preClose', async () => hub.stop())
  const totals = new Totals(context.replica, context.logger)
  server.addHook('preClose', async () => totals.stop())
  cutSlowRequests(server)
  server.addHook('onRequest', async (request, reply) => {
    reply.header('x-request-id', request.id)
  })
  server.addHook('preSerialization', async (request, reply, body) =>
    completeFailure(reply.statusCode, request.id, body),
  )
  // The API is public and has no sessions: any page may call it.
  await server.register(cors, {
    origin: '*',
    methods: ['GET', 'HEAD', 'POST'],
    maxAge: 600,
    exposedHeaders: '*',
  })
  await limitRates(server, context.config.limits.requestsPerMinute)
  await server.register(compress, { global: false, encodings: ['br', 'gzip', 'deflate'] })
  await server.register(websocket, { options: { maxPayload: 64 * 1024 }, preClose: closeSockets })
  server.setErrorHandler((error: FastifyError, _request, reply) => {
    const { statusCode, body, headers = {} } = describeError(error)
    if (statusCode >= 500 && statusCode !== 503 && statusCode !== 501) {
      context.logger.error({ err: error }, 'a request failed')
    }
    reply.code(statusCode).headers(headers).send(body)
  })
  const methodsOf = allowedMethods(server)
  server.setNotFoundHandler((request, reply) => {
    const methods = methodsOf(request.url)
    // The router takes no line breaks in a path; what is left is a path of nothing.
    if (methods.length === 0 || methods.includes(request.method)) {
      return reply.code(404).send({ error: '404: Not Found', code: 'not_found', path: 'path' })
    }
    const error = `405: Method Not Allowed: this path takes ${methods.join(', ')}`
    return reply.code(405).header('allow', methods.join(', ')).send({ error, code: 'method_not_allowed' })
  })
  for (const routes of context.config.role === 'process' ? routesOfProcessing : allRoutes) {
    await server.register(routes({ ...context, hub, totals }, services))
  }
  await server.register(placementRoutes(services.placement))
  await server.register(schedulerRoutes(services.placement, context.pool))
  await server.register(arrivalRoutes(services.placement.arrivals))
  await server.register(heldPlanRoutes(services.placement))
  await server.register(computeListRoutes(services.placement))
  return server
}

/** The caller's own id when it is a decent one. */
function requestId(request: { headers: Record<string, string | string[] | undefined> }): string {
  const given = request.headers['x-request-id']
  return typeof given === 'string' && /^[\w.-]{8,64}$/.test(given) ? given : randomUUID()
}

/** `perMinute` undefined: a generous limit for everybody but this machine; 0: none. */
async function limitRates(server: FastifyInstance, perMinute: number | undefined): Promise<void> {
  if (perMinute === 0) return
  await server.register(rateLimit, {
    max: perMinute ?? 6000,
    timeWindow: 60_000,
    cache: 50_000,
    allowList: (request: FastifyRequest) => perMinute === undefined && isLoopback(request.ip),
    errorResponseBuilder: (_request, { ttl }) =>
      new ApiError(429, 'too_many_requests', `Too many requests; try again in ${Math.ceil(ttl / 1000)} s`),
  })
}

function isLoopback(ip: string): boolean {
  return /^(127\.|::1$|::ffff:127\.)/.test(ip)
}
