import type { FastifyReply } from 'fastify'
import { encodeCursor, type Page } from './query.ts'
import type { Total } from './totals.ts'

/** One page of a list whose items are JSON text already. */
export interface JsonList {
  /** Key and `pagination_item`. */
  name: string
  items: string[]
  page: Page
  query: { page: number; pagination: number }
  /** Page mode: asked only when the page does not show it by itself. */
  total: () => Promise<Total>
  /** Cursor mode: the place of the last item. */
  place?: Record<string, unknown>
}

/** Sends a list with its page or cursor fields (protocol 03 §1.6), without parsing the items. */
export async function sendJsonList(reply: FastifyReply, list: JsonList): Promise<FastifyReply> {
  const { name, items, page, query } = list
  const tail =
    page.after === undefined
      ? {
          pagination_page: query.page,
          pagination_per_page: query.pagination,
          ...totalFields(await totalOf(list)),
          pagination_item: name,
        }
      : {
          pagination_per_page: page.limit,
          next_cursor: list.place && items.length === page.limit ? encodeCursor(list.place) : null,
          pagination_item: name,
        }
  const body = `{"${name}":[${items.join(',')}],${JSON.stringify(tail).slice(1)}`
  return reply.type('application/json; charset=utf-8').send(body)
}

async function totalOf({ items, page, total }: JsonList): Promise<Total> {
  const shown = page.offset + items.length
  const isLastPage = items.length < page.limit && (items.length > 0 || page.offset === 0)
  if (isLastPage) return { count: shown, isEstimate: false }
  const { count, isEstimate } = await total()
  return { count: isEstimate ? Math.max(count, shown) : count, isEstimate }
}

/** How an answer tells how many items there are in all. */
export function totalFields({ count, isEstimate }: Total) {
  return { pagination_total: count, ...(isEstimate && { pagination_total_is_estimate: true }) }
}
