import type { ServerResponse } from 'node:http'
import { apiRoutes } from '@aleph-ts/protocol'
import type { FastifyInstance, FastifyReply } from 'fastify'
import { AllocationWatch } from './allocation-watch.ts'
import { ApiError, queryError } from './api-error.ts'
import { EventFollower, newestPosition } from './event-follower.ts'
import { formatOf, messageFilter } from './message-filter.ts'
import { serve } from './serve.ts'
import type { ApiContext, ApiServices } from './server.ts'

const mostFollowers = 2000
const heartbeatMs = 15_000
/** How long a client should wait before it comes back, ms. */
const comeBackMs = 2000

/** Server-sent events of what changes; who comes back with `Last-Event-ID` goes on where it was cut off. */
export function eventRoutes(context: ApiContext, { placement }: ApiServices) {
  const { db, hub, logger } = context
  const followers = new Map<EventFollower, ServerResponse>()
  const allocations = new AllocationWatch(placement)

  function drop(follower: EventFollower): void {
    followers.delete(follower)
    hub.remove(follower.listener)
    allocations.remove(follower)
    follower.close()
  }

  return async (server: FastifyInstance): Promise<void> => {
    const heartbeat = setInterval(() => {
      for (const follower of followers.keys()) follower.heartbeat()
    }, heartbeatMs)
    server.addHook('preClose', async () => {
      clearInterval(heartbeat)
      allocations.stop()
      for (const [follower, stream] of followers) {
        follower.send('bye', '{"reason":"The node is stopping"}')
        drop(follower)
        stream.end()
      }
    })

    serve(server, apiRoutes.followEvents, async ({ query, request, reply }) => {
      if (followers.size >= mostFollowers) {
        throw new ApiError(503, 'too_many_followers', 'Too many connections; try another node')
      }
      const owners = query.owners ?? (query.address === undefined ? undefined : [query.address])
      const filter = messageFilter({ ...query, owners })
      const newest = await newestPosition(db)
      const asked = lastEventId(request.headers['last-event-id'], query.lastEventId)
      // A place beyond the end is one in the log of another node.
      const isForeign = asked !== undefined && asked > newest
      const stream = openStream(reply)
      const follower: EventFollower = new EventFollower({
        db,
        stream,
        topics: new Set(query.topics),
        filter,
        format: formatOf(query),
        after: asked === undefined || isForeign ? newest : asked,
        onError: (error) => {
          logger.warn({ err: error }, 'an event stream was ended')
          drop(follower)
          stream.end()
        },
      })
      followers.set(follower, stream)
      stream.on('close', () => drop(follower))
      stream.on('error', () => drop(follower))
      stream.write(`retry: ${comeBackMs}\n\n`)
      if (isForeign) follower.send('reset', '{"reason":"The id is not of this node; events go on from now"}')
      if (query.topics.some((topic) => topic !== 'allocation')) {
        hub.add(follower.listener)
        follower.wake()
      }
      if (query.topics.includes('allocation')) allocations.add(follower, query.address)
      return reply
    })
  }
}

function lastEventId(header: string | string[] | undefined, query: string | undefined): bigint | undefined {
  const text = [header].flat()[0] ?? query
  if (text === undefined || text === '') return undefined
  if (!/^\d{1,18}$/.test(text)) throw queryError('lastEventId', 'must be the id of an event of this node')
  return BigInt(text)
}

/** Takes the answer out of the framework's hands, with the headers it has by now. */
function openStream(reply: FastifyReply): ServerResponse {
  reply.hijack()
  for (const [name, value] of Object.entries(reply.getHeaders())) {
    if (value !== undefined) reply.raw.setHeader(name, value)
  }
  reply.raw.writeHead(200, {
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-store',
    // Proxies would hold the events back.
    'x-accel-buffering': 'no',
  })
  return reply.raw
}
