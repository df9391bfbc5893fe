import type { Envelope, MessageStatus, ParsedContent } from '@aleph-ts/protocol'
import type pg from 'pg'
import { envelopeColumns } from '../state/envelope-columns.ts'
import type { Origin } from './inbox.ts'

/** A message that passed the checks of the door. */
export interface Arrival {
  envelope: Envelope
  /** Content of an inline message. */
  parsed?: ParsedContent
  origin: Origin
  /** Nothing needs to be fetched before it can be processed. */
  fetched: boolean
  /** Row in `pending_messages`, set when this copy was stored. */
  id?: bigint
  /** Took the row of a copy that came without its content. */
  completes?: boolean
}

/** A message refused at the door, kept so that its sender can ask why. */
export interface Refusal {
  itemHash: string
  message: unknown
  errorCode: number
  details: unknown
}

/** The plan is made once, maybe for a small table: row by row it uses the index from the beginning. */
const insertArrivals = `
  with incoming as (
    select * from unnest(
      $1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::float8[], $9::text[],
      $10::text[], $11::text[], $12::bool[]
    ) as t(item_hash, type, chain, sender, signature, item_type, item_content, time, channel,
           origin, tx_hash, fetched)
  ), known as (
    select m.item_hash, m.status from unnest($1::text[]) as i(item_hash),
      lateral (select item_hash, status from messages where messages.item_hash = i.item_hash limit 1) m
    union all
    select item_hash, 'forgotten' from forgotten_messages where item_hash = any($1)
    union all
    select item_hash, 'removed' from removed_messages where item_hash = any($1)
  ), inserted as (
    insert into pending_messages (item_hash, type, chain, sender, signature, item_type, item_content, time, channel,
      reception_time, origin, tx_hash, fetched, next_attempt)
    select item_hash, type, chain, sender, signature, item_type, item_content, time, channel,
      $13::timestamptz, origin, tx_hash, fetched, $13::timestamptz
    from incoming where item_hash not in (select item_hash from known)
    on conflict (sender, item_hash, signature) do update
      set item_type = excluded.item_type, item_content = excluded.item_content, fetched = excluded.fetched,
        origin = excluded.origin, next_attempt = excluded.next_attempt, retries = 0, error_code = null,
        error_details = null
      where pending_messages.item_content is null and excluded.item_content is not null
    returning id, item_hash, sender, signature, origin, xmax <> 0 as completes
  ), unannounced as (
    insert into unannounced_messages (item_hash) select item_hash from inserted where origin = 'api'
    on conflict do nothing
  )
  select item_hash, sender, signature, id, completes, null as status from inserted
  union all
  select item_hash, null, null, null, null, status from known`

const insertRefusals = `
  insert into rejected_messages (item_hash, message, error_code, details, reception_time)
  select distinct on (item_hash) item_hash, message::json, error_code, details::json, $5::timestamptz
  from unnest($1::text[], $2::text[], $3::int[], $4::text[]) as t(item_hash, message, error_code, details)
  on conflict (item_hash) do update set error_code = excluded.error_code, details = excluded.details`

/**
 * Stores arrivals and refusals, each list in one durable statement; sets the `id` of every arrival that is new. So is the
 * content of a message that waits for it: `item_type` is not signed, and anybody could send a copy without content first.
 *
 * @returns the status of the arrivals that the state knows already, by hash
 */
export async function storeArrivals(
  pool: pg.Pool | pg.PoolClient,
  arrivals: Arrival[],
  refusals: Refusal[],
): Promise<Map<string, MessageStatus>> {
  const known = new Map<string, MessageStatus>()
  const now = new Date()
  if (refusals.length > 0) {
    await pool.query({
      name: 'insert-refusals',
      text: insertRefusals,
      values: [...refusalColumns(refusals), now],
    })
  }
  if (arrivals.length === 0) return known
  const byCopy = new Map<string, Arrival>()
  for (const arrival of arrivals) {
    const key = copyKey(arrival.envelope)
    if (arrival.parsed || !byCopy.has(key)) byCopy.set(key, arrival)
  }
  const { rows } = await pool.query<{
    item_hash: string
    sender: string
    signature: string | null
    id: bigint | null
    completes: boolean | null
    status: MessageStatus | null
  }>({
    name: 'insert-arrivals',
    text: insertArrivals,
    values: [...arrivalColumns([...byCopy.values()]), now],
  })
  for (const row of rows) {
    if (row.id === null) known.set(row.item_hash, row.status!)
    else Object.assign(byCopy.get(copyKey(row))!, { id: row.id, completes: row.completes })
  }
  return known
}

function copyKey(copy: { item_hash: string; sender: string; signature: string | null }): string {
  return `${copy.item_hash}\n${copy.sender}\n${copy.signature ?? ''}`
}

function arrivalColumns(arrivals: Arrival[]): unknown[][] {
  const envelopes = arrivals.map((arrival) => arrival.envelope)
  return [
    envelopes.map((envelope) => envelope.item_hash),
    ...envelopeColumns(envelopes),
    arrivals.map((arrival) => arrival.origin.door),
    arrivals.map((arrival) => arrival.origin.txHash ?? null),
    arrivals.map((arrival) => arrival.fetched),
  ]
}

function refusalColumns(refusals: Refusal[]): unknown[][] {
  return [
    refusals.map((refusal) => refusal.itemHash),
    refusals.map((refusal) => JSON.stringify(refusal.message)),
    refusals.map((refusal) => refusal.errorCode),
    refusals.map((refusal) => JSON.stringify(refusal.details ?? null)),
  ]
}
