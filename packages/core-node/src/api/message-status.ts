import type { MessageStatus } from '@aleph-ts/protocol'
import type pg from 'pg'
import { ApiError } from './api-error.ts'
import { isoTime } from './message-shape.ts'

export interface StatusRow {
  item_hash: string
  status: MessageStatus
  reception_time: Date
}

/** @throws {ApiError} 404 for a hash this node has never seen */
export async function findStatus(pool: pg.Pool, hash: string): Promise<StatusRow> {
  const { rows } = await pool.query<StatusRow>({
    name: 'find-status',
    text: 'select item_hash, status, reception_time from message_status where item_hash = $1 order by rank limit 1',
    values: [hash],
  })
  if (rows[0]) return rows[0]
  throw new ApiError(404, 'message_not_found', `Message not found with hash: ${hash}`)
}

/** Fields of a message apart from its content, in the form they were sent. */
const envelopeFields = `'sender', p.sender, 'chain', p.chain, 'signature', p.signature, 'type', p.type,
  'item_type', p.item_type, 'item_hash', p.item_hash, 'channel', p.channel`

/** What is missing for a message that goes, or went, for want of payment. */
const removalReason = `case p.payment_type when 'credit' then 'credit_insufficient' else 'balance_insufficient' end`

/** For each status the JSON text of what is to say about a message, by its hash (protocol 03 §4.4). */
const bodies: Record<string, string> = {
  processed: `select p.item_hash, p.status, p.reception_time, ${removalReason} as reason, json_build_object('message', json_build_object(${envelopeFields}, 'item_content', p.item_content,
      'time', p.time, 'content', coalesce(p.content, p.item_content)::json,
      'confirmations', coalesce(t.confirmations, '[]'::json), 'confirmed', t.confirmations is not null))::text as body
    from messages p, lateral (
      select json_agg(json_build_object('chain', x.chain, 'height', x.height, 'hash', x.hash)
        order by x.datetime, x.hash) as confirmations
      from message_confirmations c join chain_txs x on x.hash = c.tx_hash where c.item_hash = p.item_hash) t
    where p.item_hash = $1`,
  pending: `select json_build_object('messages', json_agg(json_build_object(${envelopeFields},
      'item_content', p.item_content, 'time', to_timestamp(p.time),
      'content', case when p.item_type = 'inline' then p.item_content::json end, 'reception_time', p.reception_time,
      'error_code', p.error_code, 'details', p.error_details, 'retries', p.retries,
      'next_attempt', p.next_attempt)))::text as body
    from pending_messages p where p.item_hash = $1 having count(*) > 0`,
  forgotten: `select json_build_object('message', json_build_object(${envelopeFields}, 'time', p.time, 'owner', p.owner,
      'payment_type', p.payment_type, 'size', p.size, 'forgotten_at', p.forgotten_at),
      'forgotten_by', p.forgotten_by)::text as body
    from forgotten_messages p where p.item_hash = $1`,
  removed: `select json_build_object('message', json_build_object(${envelopeFields}, 'time', p.time, 'owner', p.owner,
      'payment_type', p.payment_type, 'size', p.size, 'removed_at', extract(epoch from p.removed_at)),
      'reason', ${removalReason},
      'removed_at', extract(epoch from p.removed_at), 'size', p.size)::text as body
    from removed_messages p where p.item_hash = $1`,
  rejected: `select json_build_object('message', p.message, 'error_code', p.error_code, 'details', p.details)::text as body
    from rejected_messages p where p.item_hash = $1`,
}

/**
 * Everything about one message, as JSON text.
 *
 * @throws {ApiError} 404
 */
export async function describeMessage(pool: pg.Pool, hash: string): Promise<string> {
  // A message may move on between two look-ups; then the next round sees where to.
  for (let round = 0; round < 3; round++) {
    // Most messages that are asked for are part of the state.
    const current = await findBody<StatusRow & { reason: string }>(pool, 'processed', hash)
    if (current) {
      const { status, reason, body } = current
      return joined(current, body, status === 'removing' ? { reason } : {})
    }
    const row = await findStatus(pool, hash)
    const found = await findBody(pool, row.status, hash)
    if (found) return joined(row, found.body)
  }
  throw new ApiError(503, 'unavailable', `Message ${hash} is changing its status; ask again`)
}

async function findBody<Row = unknown>(
  pool: pg.Pool,
  status: string,
  hash: string,
): Promise<(Row & { body: string }) | undefined> {
  const text = bodies[status]
  if (!text) return undefined
  const { rows } = await pool.query({ name: `describe-${status}`, text, values: [hash] })
  return rows[0]
}

function joined({ status, item_hash, reception_time }: StatusRow, body: string, extra = {}): string {
  const common = JSON.stringify({ status, item_hash, reception_time: isoTime(reception_time, 'Z'), ...extra })
  return `${common.slice(0, -1)},${body.slice(1)}`
}
