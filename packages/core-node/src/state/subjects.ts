import type { Chain, MessageType, Place } from '@aleph-ts/protocol'
import type pg from 'pg'

/** What the node knows of a message that others name. */
export interface Subject {
  item_hash: string
  /** It is part of the state, or was until a FORGET. Else it was refused, or removed for want of payment. */
  isAccepted: boolean
  type: MessageType | null
  chain: Chain | null
  channel: string | null
  owner: string | null
  content_type: string | null
  content_ref: string | null
  content_key: string | null
  place: Place | null
  /** Place of the FORGET that removed it. */
  until: Place | null
}

const columns = 'item_hash, type, chain, channel, owner, content_type, content_ref, content_key, place'

/**
 * A refusal counts as knowledge only when it was the message that was judged: a forged copy, refused at the door, says
 * nothing. What is on its way is not known yet.
 */
const loadByHash = `
  select ${columns}, null as until, true as "isAccepted" from messages where item_hash = any($1)
  union all
  select ${columns}, until, true from forgotten_messages where item_hash = any($1)
  union all
  select item_hash, message ->> 'type', null, null, null, null, null, null, place, null, false
  from rejected_messages r where item_hash = any($1) and (place is not null or error_code <> 1)
    and not exists (select from pending_messages p where p.item_hash = r.item_hash)
    and not exists (select from forgotten_messages p where p.item_hash = r.item_hash)
  union all
  select item_hash, type, null, null, null, null, null, null, place, null, false
  from removed_messages where item_hash = any($1)`

const loadElements = `
  select ${columns}, null as until, true as "isAccepted" from messages where item_hash in (
    select e.item_hash from aggregate_elements e
    join unnest($1::text[], $2::text[]) as t(owner, key) on e.owner = t.owner and e.key = t.key)
  union all
  select ${columns}, until, true from forgotten_messages f where type = 'AGGREGATE' and exists (
    select from unnest($1::text[], $2::text[]) as t(owner, key) where t.owner = f.owner and t.key = f.content_key)
  order by 1`

/** Messages by hash; absent are those that nobody sent yet or that still wait. */
export async function loadSubjects(tx: pg.PoolClient, hashes: string[]): Promise<Map<string, Subject>> {
  if (hashes.length === 0) return new Map()
  const { rows } = await tx.query<Subject>({ name: 'load-subjects', text: loadByHash, values: [hashes] })
  return new Map(rows.map((row) => [row.item_hash, row]))
}

/** Every element, forgotten ones included, of the aggregates named. */
export async function elementSubjects(
  tx: pg.PoolClient,
  keys: (readonly [owner: string, key: string])[],
): Promise<Subject[]> {
  const { rows } = await tx.query<Subject>(loadElements, [
    keys.map(([owner]) => owner),
    keys.map(([, key]) => key),
  ])
  return rows
}
