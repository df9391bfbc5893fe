import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import cors from '@fastify/cors'
import {
  type FastifyBaseLogger,
  type FastifyError,
  type FastifyInstance,
  fastify,
  LogController,
} from 'fastify'
import type { Logger } from 'pino'
import { type AboutRoutesOptions, aboutRoutes } from './about/about-routes.ts'
import { type DebugRoutesOptions, debugRoutes } from './about/debug-routes.ts'
import { type ProxyRoutesOptions, proxyRoutes } from './about/proxy-routes.ts'
import { type StatusRoutesOptions, statusRoutes } from './about/status-routes.ts'
import { type AllocationRoutesOptions, allocationRoutes } from './allocations/allocation-routes.ts'
import { type AdminRoutesOptions, adminRoutes } from './control/admin-routes.ts'
import type { LogStreams } from './control/log-streams.ts'
import { type MachineRoutesOptions, machineRoutes } from './control/machine-routes.ts'
import { type NotifyRoutesOptions, notifyRoutes } from './control/notify-routes.ts'
import { ForbiddenError } from './control/owner-access.ts'
import { OwnerAuthError } from './control/owner-auth.ts'
import { takeLaxJson } from './control/raw-body.ts'
import { AgentError, toAgentError } from './errors.ts'
import { type MigrationRoutesOptions, migrationRoutes } from './migration/migration-routes.ts'
import type { CustomDomains } from './proxy/custom-domains.ts'
import { type ProgramProxy, responseOn } from './proxy/program-proxy.ts'
import { type ProgramRoute, type ProgramTarget, routeRequest } from './proxy/program-route.ts'
import { requestIdOf } from './request-id.ts'

const BODY_LIMIT = 1024 * 1024
const HEADERS_TIMEOUT_MS = 60_000
const REQUEST_TIMEOUT_MS = 3_600_000
const KEEP_ALIVE_MS = 65_000

export interface HttpServerOptions {
  host: string
  port: number
  domainName: string
  serverHeader: string
  proxy: ProgramProxy
  customDomains: CustomDomains
  about: AboutRoutesOptions
  allocations: AllocationRoutesOptions
  admin: AdminRoutesOptions
  debug: DebugRoutesOptions
  debugProxy: ProxyRoutesOptions
  status: StatusRoutesOptions
  notify: NotifyRoutesOptions
  machines: MachineRoutesOptions
  migration: MigrationRoutesOptions
  logStreams: LogStreams
  logger: Logger
}

/**
 * The node's one HTTP door. Calls to programs are told apart before any routing and go to the proxy as raw
 * requests; everything else is the node's own API.
 */
export class HttpServer {
  readonly #options: HttpServerOptions
  readonly #server: Server
  readonly #app: FastifyInstance
  readonly #calls = new Set<Promise<void>>()
  #draining = false
  #url = ''

  private constructor(options: HttpServerOptions, server: Server, app: FastifyInstance) {
    this.#options = options
    this.#server = server
    this.#app = app
  }

  static async create(options: HttpServerOptions): Promise<HttpServer> {
    let self: HttpServer | undefined
    const server = createServer({
      headersTimeout: HEADERS_TIMEOUT_MS,
      requestTimeout: REQUEST_TIMEOUT_MS,
      keepAliveTimeout: KEEP_ALIVE_MS,
      // An offer of HTTP/2 that we do not take up must not keep the request from being answered.
      shouldUpgradeCallback: (request) => request.headers.upgrade?.toLowerCase() === 'websocket',
    })
    const app = fastify({
      loggerInstance: options.logger as FastifyBaseLogger,
      logController: new LogController({ disableRequestLogging: true }),
      bodyLimit: BODY_LIMIT,
      genReqId: requestIdOf,
      serverFactory: (handler) => {
        server.on('request', (request: IncomingMessage, response: ServerResponse) => {
          if (!self?.takesCall(request, response)) handler(request, response)
        })
        return server
      },
    })
    self = new HttpServer(options, server, app)
    server.on('upgrade', self.#upgrade.bind(self))
    await self.#routes()
    return self
  }

  /** Listens; returns the URL, with the port actually taken. */
  async start(): Promise<string> {
    const { host, port } = this.#options
    await this.#app.listen({ host, port })
    const address = this.#server.address() as AddressInfo
    const name = address.family === 'IPv6' ? `[${address.address}]` : address.address
    this.#url = `http://${name}:${address.port}`
    return this.#url
  }

  /** Where it listens; empty before `start`. */
  get url(): string {
    return this.#url
  }

  /** Takes no new calls, gives those under way `graceMs`, then closes every connection. */
  async stop(graceMs: number): Promise<void> {
    this.#draining = true
    let timer: NodeJS.Timeout | undefined
    const grace = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, graceMs)
    })
    await Promise.race([Promise.allSettled(this.#calls), grace])
    clearTimeout(timer)
    this.#options.logStreams.close()
    this.#server.closeAllConnections()
    await this.#app.close()
  }

  /** Hands a call of a program to the proxy; false when the request is for the node itself. */
  takesCall(request: IncomingMessage, response: ServerResponse): boolean {
    const route = this.#routeOf(request)
    if (route.kind === 'node') return false
    this.#track(this.#call(route, request, response))
    return true
  }

  async #call(route: ProgramRoute, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { proxy } = this.#options
    try {
      if (this.#draining) throw new AgentError('draining', 'Server is draining, try another node')
      await proxy.handle(request, response, await this.#targetOf(route))
    } catch (error) {
      await proxy.refuse(response, error)
    }
  }

  #upgrade(request: IncomingMessage, socket: Socket, head: Buffer): void {
    const isOurs = this.#routeOf(request).kind === 'node'
    if (isOurs && !this.#draining && this.#options.logStreams.takes(request, socket, head)) return
    this.#track(this.#callUpgrade(request, socket, head))
  }

  async #callUpgrade(request: IncomingMessage, socket: Socket, head: Buffer): Promise<void> {
    const { proxy } = this.#options
    socket.on('error', () => socket.destroy())
    try {
      if (this.#draining) throw new AgentError('draining', 'Server is draining, try another node')
      await proxy.upgrade(request, socket, head, await this.#targetOf(this.#routeOf(request)))
    } catch (error) {
      await proxy.refuse(responseOn(request, socket), error)
    }
  }

  #track(call: Promise<void>): void {
    this.#calls.add(call)
    call
      .catch((error: unknown) => this.#options.logger.error({ err: error }, 'a call ended badly'))
      .finally(() => this.#calls.delete(call))
  }

  #routeOf(request: IncomingMessage): ProgramRoute {
    return routeRequest(request.url ?? '/', request.headers.host, this.#options.domainName)
  }

  async #targetOf(route: ProgramRoute): Promise<ProgramTarget> {
    switch (route.kind) {
      case 'program':
        return route.target
      case 'invalid':
        throw new AgentError('invalid_reference', `Invalid message reference: ${route.reference}`)
      case 'custom-domain': {
        const hash = await this.#options.customDomains.lookup(route.host)
        if (hash) return { hash, path: route.path, prefix: '' }
        throw new AgentError('not_found', '404: Invalid message reference')
      }
      case 'node':
        throw new AgentError('not_found', '404: Not Found')
    }
  }

  async #routes(): Promise<void> {
    const { serverHeader, about, debug, status, notify, machines, allocations, migration } = this.#options
    this.#app.addHook('onRequest', async (request, reply) => {
      reply.header('Server', serverHeader)
      reply.header('X-Request-Id', request.id)
    })
    this.#app.setErrorHandler((error, request, reply) => {
      if (error instanceof OwnerAuthError) {
        return reply.code(error.status).send({ error: error.message, code: error.code, retryable: false })
      }
      if (error instanceof ForbiddenError) {
        return reply.code(403).type('text/plain; charset=utf-8').send(error.message)
      }
      const refusal = toAgentError(asRefusal(error as FastifyError))
      if (refusal.code === 'internal') request.log.error({ err: error }, 'request failed')
      if (refusal.retryAfterSeconds !== undefined)
        reply.header('Retry-After', String(refusal.retryAfterSeconds))
      const status = (error as FastifyError).statusCode ?? refusal.status
      return reply.code(refusal.code === 'internal' ? 500 : status).send(refusal.toBody())
    })
    this.#app.setNotFoundHandler((_request, reply) =>
      reply.code(404).send(new AgentError('not_found', '404: Not Found').toBody()),
    )
    await this.#app.register(async (app) => {
      await app.register(cors, {
        origin: true,
        credentials: true,
        exposedHeaders: '*',
        methods: ['GET', 'POST', 'DELETE'],
      })
      await app.register(aboutRoutes, about)
      takeLaxJson(app, BODY_LIMIT)
      await app.register(debugRoutes, debug)
      await app.register(proxyRoutes, this.#options.debugProxy)
      await app.register(statusRoutes, status)
      await app.register(notifyRoutes, notify)
      await app.register(machineRoutes, machines)
    })
    await this.#app.register(allocationRoutes, allocations)
    await this.#app.register(migrationRoutes, migration)
    await this.#app.register(adminRoutes, this.#options.admin)
    await this.#app.ready()
  }
}

/** Fastify's own refusals of a request (too large, malformed) keep their text; its status is used as it is. */
function asRefusal(error: FastifyError): unknown {
  const { statusCode } = error
  if (statusCode === undefined || statusCode < 400 || statusCode >= 500) return error
  return new AgentError('invalid_request', error.message, { cause: error })
}
