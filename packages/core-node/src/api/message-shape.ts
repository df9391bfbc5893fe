import { sql } from 'kysely'

export type ContentFormat = 'full' | 'headers' | 'none'

/** The whole content, exactly as it was signed or fetched; `m` is the messages table. */
const wholeContent = sql`coalesce(m.content, m.item_content)::json`

/** Only what lists are filtered by (protocol 03 §4.2). */
const headerContent = sql`json_strip_nulls(json_build_object(
  'address', m.owner,
  'type', case when m.type = 'POST' then m.content_type end,
  'key', case when m.type = 'AGGREGATE' then m.content_key end,
  'item_hash', case when m.type = 'STORE' then m.content_item_hash end,
  'ref', case when m.type in ('POST', 'STORE') then m.content_ref end))`

/** The transactions that carry a message, as in every shape of one; `message` is an alias of the messages table. */
export function confirmationFields(message: string) {
  const isConfirmed = sql`${sql.ref(`${message}.first_confirmed_at`)} is not null`
  // What no chain has confirmed, as most of the newest, needs no search.
  return sql`'confirmations', case when ${isConfirmed} then (
      select coalesce(json_agg(json_build_object('chain', t.chain, 'height', t.height, 'hash', t.hash)
        order by t.datetime, t.hash), '[]'::json)
      from message_confirmations c join chain_txs t on t.hash = c.tx_hash
      where c.item_hash = ${sql.ref(`${message}.item_hash`)}) else '[]'::json end,
    'confirmed', ${isConfirmed}`
}

/** A message as JSON text, made by PostgreSQL from `messages m` (protocol 03 §4.1). */
export function messageJson(format: ContentFormat = 'full') {
  const content = {
    full: sql`, 'content', ${wholeContent}`,
    headers: sql`, 'content', ${headerContent}`,
    none: sql``,
  }[format]
  return sql<string>`json_build_object(
    'item_hash', m.item_hash, 'type', m.type, 'chain', m.chain, 'sender', m.sender, 'signature', m.signature,
    'item_type', m.item_type, 'item_content', m.item_content, 'time', m.time, 'channel', m.channel, 'size', m.size,
    ${confirmationFields('m')}${content})::text`
}

/** ISO 8601 in UTC, microseconds only when there are any; `suffix` is `Z` or `+00:00` (protocol 03 §1.5). */
export function isoTime(secondsOrDate: number | Date, suffix: 'Z' | '+00:00'): string {
  const microseconds =
    secondsOrDate instanceof Date ? secondsOrDate.getTime() * 1000 : Math.round(secondsOrDate * 1e6)
  const whole = Math.floor(microseconds / 1e6)
  const fraction = microseconds - whole * 1e6
  const date = new Date(whole * 1000)
  if (Number.isNaN(date.getTime())) return String(secondsOrDate)
  const text = date.toISOString().slice(0, 19)
  return `${text}${fraction > 0 ? `.${String(fraction).padStart(6, '0')}` : ''}${suffix}`
}
