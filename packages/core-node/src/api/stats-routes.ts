import { apiRoutes } from '@aleph-ts/protocol'
import type { FastifyInstance } from 'fastify'
import { queryError } from './api-error.ts'
import { cursorTexts, encodeCursor, pageOf } from './query.ts'
import { serve } from './serve.ts'
import type { ApiContext } from './server.ts'

/** Without addresses the older route tells about so many. */
const mostAddresses = 1000

interface StatsRow {
  sender: string
  total: bigint
  aggregate: bigint
  forget: bigint
  instance: bigint
  post: bigint
  program: bigint
  store: bigint
}

const sums = `sender, sum(count)::bigint as total,
  ${['aggregate', 'forget', 'instance', 'post', 'program', 'store']
    .map((type) => `coalesce(sum(count) filter (where type = '${type.toUpperCase()}'), 0)::bigint as ${type}`)
    .join(', ')}`

/** How many messages addresses sent (protocol 03 §10.7). */
export function statsRoutes({ pool }: ApiContext) {
  return async (server: FastifyInstance): Promise<void> => {
    serve(server, apiRoutes.getAddressStats, async ({ request }) => {
      const given = (request.query as Record<string, string | string[] | undefined>)['addresses[]']
      const addresses = given === undefined ? null : [given].flat().map((text) => text.replaceAll('\0', ''))
      const { rows } = await pool.query<StatsRow>(
        `select ${sums} from message_counts where $1::text[] is null or sender = any($1)
         group by sender order by total desc, sender limit ${mostAddresses}`,
        [addresses],
      )
      return { data: dataOf(rows) }
    })

    serve(server, apiRoutes.listAddressStats, async ({ query }) => {
      const page = pageOf(query)
      const containing = query.addressContains?.toLowerCase() ?? ''
      const direction = query.sortOrder
      const further = direction === 'desc' ? '<' : '>'
      const place = page.after ? placeOf(page.after) : [null, '']
      const { rows } = await pool.query<StatsRow & { all: bigint }>(
        `with totals as (
           select ${sums} from message_counts where $1 = '' or position($1 in lower(sender)) > 0 group by sender
         )
         select *, (select count(*) from totals) as all from totals
         where $2::bigint is null or ${query.sortBy} ${further} $2 or (${query.sortBy} = $2 and sender > $3)
         order by ${query.sortBy} ${direction}, sender limit $4 offset $5`,
        [containing, ...place, page.limit, page.offset],
      )
      const last = rows.at(-1)
      if (page.after === undefined) {
        return {
          data: dataOf(rows),
          pagination_page: query.page,
          pagination_per_page: query.pagination,
          pagination_total: Number(rows[0]?.all ?? 0n),
          pagination_item: 'addresses',
        }
      }
      const isMore = last && rows.length === page.limit
      return {
        data: dataOf(rows),
        pagination_per_page: page.limit,
        next_cursor: isMore ? encodeCursor({ a: last.sender, v: String(last[query.sortBy]) }) : null,
        pagination_item: 'addresses',
      }
    })
  }
}

function placeOf(after: Record<string, unknown>): [string, string] {
  const [value, address] = cursorTexts(after, ['v', 'a']) as [string, string]
  if (!/^\d{1,18}$/.test(value)) throw queryError('cursor', 'Invalid cursor: it belongs to another list')
  return [value, address]
}

function dataOf(rows: StatsRow[]) {
  return Object.fromEntries(
    rows.map(({ sender, total, aggregate, forget, instance, post, program, store }) => [
      sender,
      {
        messages: Number(total),
        aggregate: Number(aggregate),
        forget: Number(forget),
        instance: Number(instance),
        post: Number(post),
        program: Number(program),
        store: Number(store),
      },
    ]),
  )
}
