import type { WebSocket } from '@fastify/websocket'
import type { FastifyInstance } from 'fastify'
import { z } from 'zod'
import type { CoreNodeContext } from '../context.ts'
import type { ProcessedMessage } from '../events.ts'
import {
  type FilteredColumns,
  filterFields,
  formatOf,
  type MessageFilter,
  matchesFilter,
  matchingMessages,
  messageFilter,
} from './message-filter.ts'
import { type ContentFormat, messageJson } from './message-shape.ts'
import { integer, parseQuery } from './query.ts'

const mostFeeds = 10_000
/** A reader that lets more than this pile up, bytes, is cut off. */
const mostBuffered = 4 * 1024 * 1024
const pingMs = 30_000
/** Close codes of RFC 6455. */
const tryAgainLater = 1013
const goingAway = 1001

const feedSchema = z.object({ ...filterFields, history: integer(0).pipe(z.number().max(199)).default(10) })

interface Feed {
  socket: WebSocket
  filter: MessageFilter
  format: ContentFormat
  /** Live messages that came while the history was being read; undefined once it was sent. */
  held?: { hash: string; body: string }[]
}

/** The live feed of messages (protocol 03 §5.1): a short history first, then every message as it is processed. */
export function feedRoutes(context: CoreNodeContext) {
  const { db, events, metrics, logger } = context
  const feeds = new Set<Feed>()
  let sending: Promise<void> = Promise.resolve()

  function onProcessed(batch: ProcessedMessage[]): void {
    if (feeds.size === 0) return
    const hashes = batch.map((message) => message.item_hash)
    sending = sending
      .then(() => broadcast(hashes))
      .catch((error) => logger.warn({ err: error }, 'a batch was not sent to the feeds'))
  }

  async function broadcast(hashes: string[]): Promise<void> {
    const formats = new Set([...feeds].map((feed) => feed.format))
    for (const format of formats) {
      const rows = await db
        .selectFrom('messages as m')
        .where('m.item_hash', 'in', hashes)
        .selectAll('m')
        .select(messageJson(format).as('body'))
        .orderBy('m.seq')
        .execute()
      for (const feed of feeds) {
        if (feed.format !== format) continue
        for (const row of rows) {
          if (matchesFilter(feed.filter, row as FilteredColumns)) deliver(feed, row.item_hash, row.body)
        }
      }
    }
  }

  function deliver(feed: Feed, hash: string, body: string): void {
    if (feed.held) feed.held.push({ hash, body })
    else feed.socket.send(body)
    const waiting = feed.socket.bufferedAmount + (feed.held?.length ?? 0) * 1024
    if (waiting > mostBuffered) close(feed, tryAgainLater, 'Reader is too slow')
  }

  function close(feed: Feed, code: number, reason: string): void {
    feeds.delete(feed)
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
    for (const { hash, body } of held) if (!sent.has(hash)) feed.socket.send(body)
  }

  return async (server: FastifyInstance): Promise<void> => {
    events.on('processed', onProcessed)
    const pings = setInterval(() => {
      for (const feed of feeds) feed.socket.ping()
    }, pingMs)
    server.addHook('preClose', async () => {
      clearInterval(pings)
      events.off('processed', onProcessed)
      for (const feed of feeds) close(feed, goingAway, 'The node is stopping')
    })

    server.get(
      '/api/ws0/messages',
      {
        websocket: true,
        // Before the upgrade, so that a wrong parameter is an ordinary 422.
        preValidation: async (request) => void parseQuery(feedSchema, request.query),
      },
      async (socket: WebSocket, request) => {
        if (feeds.size >= mostFeeds) return socket.close(tryAgainLater, 'Too many connections')
        const query = parseQuery(feedSchema, request.query)
        const feed: Feed = { socket, filter: messageFilter(query), format: formatOf(query), held: [] }
        feeds.add(feed)
        metrics.webSockets.set(feeds.size)
        socket.on('error', () => socket.terminate())
        socket.on('close', () => {
          feeds.delete(feed)
          metrics.webSockets.set(feeds.size)
        })
        try {
          await sendHistory(feed, query.history, query.sortOrder)
        } catch (error) {
          logger.warn({ err: error }, 'a feed could not be started')
          close(feed, tryAgainLater, 'The history cannot be read now')
        }
      },
    )
  }
}
