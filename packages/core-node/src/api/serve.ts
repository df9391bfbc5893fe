import type { AnswerOf, ApiRoute, BodyOf, PathParameters, QueryOf } from '@aleph-ts/protocol'
import type { FastifyInstance, FastifyReply, FastifyRequest, RouteShorthandOptions } from 'fastify'
import type { z } from 'zod'
import { ApiError } from './api-error.ts'
import { parseQuery } from './query.ts'

/** One request of a route, read by its schemas. */
export interface Exchange<R extends ApiRoute> {
  params: Record<PathParameters<R['path']>, string>
  query: QueryOf<R>
  body: BodyOf<R>
  request: FastifyRequest
  reply: FastifyReply
}

/** The answer as a value, as JSON text, or sent by the handler itself. */
export type Handled<R extends ApiRoute> = AnswerOf<R> | FastifyReply | string

/** Serves a route of the API at its path and aliases: the query and body that a handler sees have kept the rules. */
export function serve<R extends ApiRoute>(
  server: FastifyInstance,
  route: R,
  handler: (exchange: Exchange<R>) => Handled<R> | Promise<Handled<R>>,
  options: RouteShorthandOptions = {},
): void {
  // Small answers stay as they are.
  const compress = 'raw' in route.answer ? undefined : {}
  for (const path of [route.path, ...(route.aliases ?? [])]) {
    server.route({
      ...(compress && { compress }),
      ...options,
      method: route.method,
      url: route.lastIsRest ? pathPattern(path).replace(/:\w+$/, '*') : pathPattern(path),
      handler: async (request, reply) => {
        const answer = await handler({ ...readExchange(route, request), request, reply })
        if (typeof answer === 'string' && !reply.hasHeader('content-type')) {
          reply.type('application/json; charset=utf-8')
        }
        return answer
      },
    })
  }
}

/** A path of the API in the router's notation. */
export function pathPattern(path: string): string {
  return path.replace(/\{(\w+)\}/g, ':$1')
}

function readExchange<R extends ApiRoute>(
  route: R,
  request: FastifyRequest,
): Pick<Exchange<R>, 'params' | 'query' | 'body'> {
  const query = route.query ? parseQuery(route.query, request.query) : undefined
  const body = route.body && !('raw' in route.body) ? parseBody(route.body, bodyOf(request)) : request.body
  return { params: readParams(route, request), query, body } as Pick<Exchange<R>, 'params' | 'query' | 'body'>
}

/** PostgreSQL knows no NUL, and neither does anything that a path can name. */
function readParams({ path }: ApiRoute, { params }: FastifyRequest): Record<string, string> {
  const rest = /\w+(?=\}$)/.exec(path)?.[0]
  return Object.fromEntries(
    Object.entries(params as Record<string, string>).map(([name, value]) => [
      name === '*' && rest ? rest : name,
      value.replaceAll('\0', ''),
    ]),
  )
}

/** The body as a value: JSON is read as such whatever it was sent as. */
function bodyOf({ body, headers }: FastifyRequest): unknown {
  if (typeof body !== 'string' || headers['content-type']?.includes('json')) return body
  try {
    return JSON.parse(body)
  } catch (error) {
    throw Object.assign(error as SyntaxError, { statusCode: 400 })
  }
}

function parseBody<S extends z.ZodType>(schema: S, body: unknown): z.output<S> {
  if (body === undefined) {
    throw new ApiError(400, 'no_body', 'The request has no body: send one, with its content-type')
  }
  const parsed = schema.safeParse(body)
  if (parsed.success) return parsed.data
  const details = parsed.error.issues.map(({ code, path, message }) => ({
    type: code,
    loc: path,
    msg: message,
  }))
  const [first] = details
  const place = ['body', ...(first?.loc ?? [])].map(String).join('.')
  throw new ApiError(422, 'INVALID_FORMAT', `InvalidMessageFormat: ${place}: ${first?.msg}`, {
    path: place,
    details,
  })
}
