import { apiRoutes, type QueryOf } from '@aleph-ts/protocol'
import type { FastifyInstance } from 'fastify'
import { sql } from 'kysely'
import { serve } from './serve.ts'
import type { ApiContext } from './server.ts'

type Query = QueryOf<typeof apiRoutes.listGrantedAuthorizations>
type Entry = Record<string, unknown> & { address: string }

/** Who may act for whom, as the `security` aggregates say (protocol 03 §8). */
export function authorizationRoutes({ db }: ApiContext) {
  async function granted(owner: string, query: Query & { grantee?: string }) {
    const rows = await db
      .selectFrom('aggregates')
      .where('owner', '=', owner)
      .where('key', '=', 'security')
      .select('content')
      .execute()
    const byGrantee = new Map<string, Entry[]>()
    for (const entry of rows.flatMap((row) => entriesOf(row.content))) {
      if (query.grantee !== undefined && entry.address !== query.grantee) continue
      if (keeps(entry, query)) add(byGrantee, entry.address, entry)
    }
    return answer(owner, byGrantee, query)
  }

  async function received(grantee: string, query: Query & { granter?: string }) {
    const containing = JSON.stringify({ authorizations: [{ address: grantee }] })
    let rows = db
      .selectFrom('aggregates')
      .where('key', '=', 'security')
      .where(sql<boolean>`content @> ${containing}::jsonb`)
    if (query.granter !== undefined) rows = rows.where('owner', '=', query.granter)
    const found = await rows.select(['owner', 'content']).orderBy(sql`owner collate "C"`).execute()
    const byOwner = new Map<string, Entry[]>()
    for (const { owner, content } of found) {
      for (const entry of entriesOf(content)) {
        if (entry.address === grantee && keeps(entry, query)) add(byOwner, owner, entry)
      }
    }
    return answer(grantee, byOwner, query)
  }

  return async (server: FastifyInstance): Promise<void> => {
    serve(server, apiRoutes.listGrantedAuthorizations, ({ params, query }) => granted(params.address, query))
    serve(server, apiRoutes.listReceivedAuthorizations, ({ params, query }) =>
      received(params.address, query),
    )
  }
}

function entriesOf(content: unknown): Entry[] {
  const { authorizations } = (content ?? {}) as { authorizations?: unknown }
  if (!Array.isArray(authorizations)) return []
  return authorizations.filter(
    (entry): entry is Entry => typeof (entry as { address?: unknown } | null)?.address === 'string',
  )
}

/** An entry without a list of its own allows everything of that kind. */
function keeps(entry: Entry, query: Query): boolean {
  const wanted: [unknown, string[] | undefined][] = [
    [entry.types, query.types],
    [entry.channels, query.channels],
    [entry.post_types, query.postTypes],
    [entry.chain === undefined || entry.chain === null ? undefined : [entry.chain], query.chains],
    [entry.aggregate_keys, query.aggregateKeys],
  ]
  return wanted.every(
    ([own, values]) =>
      values === undefined ||
      !Array.isArray(own) ||
      own.length === 0 ||
      values.some((value) => own.includes(value)),
  )
}

function add(byAddress: Map<string, Entry[]>, address: string, { address: _, ...entry }: Entry): void {
  byAddress.set(address, [...(byAddress.get(address) ?? []), entry as Entry])
}

/** Pages count addresses, not entries. */
function answer(address: string, byAddress: Map<string, Entry[]>, { page, pagination }: Query) {
  const shown = [...byAddress].slice((page - 1) * pagination, page * pagination)
  return {
    authorizations: Object.fromEntries(shown),
    pagination_page: page,
    pagination_per_page: pagination,
    pagination_total: byAddress.size,
    pagination_item: 'authorizations',
    address,
  }
}
