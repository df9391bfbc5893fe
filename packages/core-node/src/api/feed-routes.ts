import { apiRoutes } from '@aleph-ts/protocol'
import type { WebSocket } from '@fastify/websocket'
import type { FastifyInstance } from 'fastify'
import { askForUpgrade } from './broken-requests.ts'
import {
  formatOf,
  type MessageFilter,
  matchesFilter,
  matchingMessages,
  messageFilter,
} from './message-filter.ts'
import type { HubListener } from './message-hub.ts'
import { type ContentFormat, messageJson } from './message-shape.ts'
import { parseQuery } from './query.ts'
import type { ApiContext } from './server.ts'

const mostFeeds = 10_000
/** A reader that lets more than this pile up, bytes, is cut off. */
const mostBuffered = 4 * 1024 * 1024
const pingMs = 30_000
/** Close code of RFC 6455. */
const tryAgainLater = 1013

interface Feed {
  socket: WebSocket
  filter: MessageFilter
  format: ContentFormat
  listener: HubListener
  /** Live messages that came while the history was being read; undefined once it was sent. */
  held?: { hash: string; body: string }[]
  heldBytes: number
}

/** The live feed of messages (protocol 03 §5.1): a short history first, then every message as it is processed. */
export function feedRoutes(context: ApiContext) {
  const { db, hub, metrics, logger } = context
  const { path, query: schema } = apiRoutes.watchMessages
  const feeds = new Set<Feed>()

  function deliver(feed: Feed, hash: string, body: string): void {
    if (feed.held) {
      feed.held.push({ hash, body })
      feed.heldBytes += body.length
    } else feed.socket.send(body)
    if (feed.socket.bufferedAmount + feed.heldBytes > mostBuffered) {
      close(feed, tryAgainLater, 'Reader is too slow')
    }
  }

  function open(socket: WebSocket, filter: MessageFilter, format: ContentFormat): Feed {
    const feed: Feed = {
      socket,
      filter,
      format,
      held: [],
      heldBytes: 0,
      listener: {
        format,
        onMessage: ({ row, body }) => {
          if (matchesFilter(filter, row)) deliver(feed, row.item_hash, body(format))
        },
      },
    }
    feeds.add(feed)
    hub.add(feed.listener)
    metrics.messageFeeds.set(feeds.size)
    socket.on('error', () => socket.terminate())
    socket.on('close', () => drop(feed))
    return feed
  }

  function drop(feed: Feed): void {
    feeds.delete(feed)
    hub.remove(feed.listener)
    metrics.messageFeeds.set(feeds.size)
  }

  function close(feed: Feed, code: number, reason: string): void {
    drop(feed)
    feed.socket.close(code, reason)
  }

  async function sendHistory(feed: Feed, count: number, order: 'asc' | 'desc'): Promise<void> {
    const rows =
      count === 0
        ? []
        : await db
            .selectFrom('messages as m')
            .where(matchingMessages(feed.filter))
            .select([messageJson(feed.format).as('body'), 'm.item_hash'])
            .orderBy('m.time', order)
            .orderBy('m.item_hash', 'asc')
            .limit(count)
            .execute()
    const sent = new Set(rows.map((row) => row.item_hash))
    for (const row of rows.reverse()) feed.socket.send(row.body)
    const held = feed.held ?? []
    feed.held = undefined
    feed.heldBytes = 0
    for (const { hash, body } of held) if (!sent.has(hash)) feed.socket.send(body)
  }

  return async (server: FastifyInstance): Promise<void> => {
    const pings = setInterval(() => {
      for (const feed of feeds) feed.socket.ping()
    }, pingMs)
    server.addHook('preClose', async () => clearInterval(pings))

    server.route({
      method: 'GET',
      url: path,
      // Before the upgrade, so that a wrong parameter is an ordinary 422.
      preValidation: async (request) => void messageFilter(parseQuery(schema, request.query)),
      handler: askForUpgrade,
      wsHandler: async (socket: WebSocket, request) => {
        if (feeds.size >= mostFeeds) {
          metrics.refusedMessageFeeds.inc()
          return socket.close(tryAgainLater, 'Too many connections')
        }
        const query = parseQuery(schema, request.query)
        const feed = open(socket, messageFilter(query), formatOf(query))
        try {
          await sendHistory(feed, query.history, query.sortOrder)
        } catch (error) {
          logger.warn({ err: error }, 'a feed could not be started')
          close(feed, tryAgainLater, 'The history cannot be read now')
        }
      },
    })
  }
}
