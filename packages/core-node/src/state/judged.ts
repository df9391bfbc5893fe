import {
  type CostRow,
  type Envelope,
  type ParsedContent,
  type Place,
  parseFetchedContent,
  parseInlineContent,
} from '@aleph-ts/protocol'
import type pg from 'pg'
import type { Candidate, Standing } from '../pipeline/candidate.ts'
import type { FileStat } from '../storage/file-store.ts'
import { type FirstConfirmation, firstConfirmations } from './confirmations.ts'
import { isOtherCopy } from './unsigned-fields.ts'

interface Row extends Envelope {
  status: Standing['status']
  reception_time: Date
  seq: bigint | null
  content: string | null
  place: Place | null
  bill: CostRow[] | null
  targets: string[] | null
  file_size: bigint | null
  file_type: FileStat['type'] | null
  credit_entries: unknown[] | null
}

const bill = `(select json_agg(json_build_object('type', c.type, 'name', c.name, 'ref', c.ref,
  'payment_type', c.payment_type, 'cost_hold', c.cost_hold::text, 'cost_stream', c.cost_stream::text,
  'cost_credit', c.cost_credit::text)) from account_costs c where c.item_hash = m.item_hash)`

const columns = `m.item_hash, m.type, m.chain, m.sender, m.signature, m.item_type, m.item_content, m.time, m.channel,
  m.reception_time, m.seq, m.content, m.place`

/** Of a file that is gone, nobody asks. */
const fileType = '(select f.type from files f where f.hash = m.content_item_hash)'

const load = `
  select m.*, t.targets, e.entries as credit_entries from (
    select ${columns}, m.status, ${bill} as bill,
      (select size from stored_files s where s.item_hash = m.item_hash) as file_size, ${fileType} as file_type
    from messages m where m.item_hash = any($1)
    union all
    select ${columns}, 'forgotten', m.bill, m.size, ${fileType} from forgotten_messages m where m.item_hash = any($1)
    union all
    select m.item_hash, r.type, r.chain, r.sender, r.signature, r.item_type, r.item_content, r.time, r.channel,
      m.reception_time, m.seq, m.content, m.place, 'rejected', null, m.file_size, m.file_type
    from rejected_messages m, json_to_record(m.message) as r(type text, chain text, sender text, signature text,
      item_type text, item_content text, time float8, channel text)
    where m.item_hash = any($1) and m.place is not null
  ) m
  left join lateral (
    select array_agg(target order by target) as targets from forget_targets where forget_hash = m.item_hash
  ) t  on m.type = 'FORGET'
  left join lateral (
    select json_agg(json_build_array(credit_index, address, amount::text, message_timestamp, expiration_date)
      order by credit_index) as entries
    from credit_history where credit_ref = m.item_hash
  ) e on m.type = 'POST'`

/** Messages that were judged before, ready to be judged again; those whose content is gone are left out. */
export async function loadJudged(tx: pg.PoolClient, hashes: string[]): Promise<Candidate[]> {
  if (hashes.length === 0) return []
  const { rows } = await tx.query<Row>(load, [hashes])
  const confirmations = await firstConfirmations(tx, hashes)
  return rows.flatMap((row) => {
    const parsed = parse(row)
    return parsed ? [{ ...asCandidate(row, confirmations.get(row.item_hash)), parsed }] : []
  })
}

function parse(row: Row): ParsedContent | undefined {
  if (row.item_type === 'inline') return row.item_content === null ? undefined : parseInlineContent(row)
  return row.content === null ? undefined : parseFetchedContent(row, row.content)
}

function asCandidate(row: Row, confirmed: FirstConfirmation | undefined): Candidate {
  const { item_hash, type, chain, sender, signature, item_type, item_content, time, channel } = row
  const envelope = { item_hash, type, chain, sender, signature, item_type, item_content, time, channel }
  return {
    envelope: { ...envelope, ...confirmed?.copy },
    confirmed,
    receptionTime: row.reception_time,
    retries: 0,
    seq: row.seq ?? undefined,
    fileSize: row.file_size === null ? undefined : Number(row.file_size),
    fileType: row.file_type ?? undefined,
    fetchedContent:
      row.content === null ? undefined : { text: row.content, bytes: Buffer.byteLength(row.content) },
    standing: {
      status: row.status,
      place: row.place,
      isOtherCopy: isOtherCopy(envelope, confirmed?.copy),
      costs: row.bill ?? [],
      targets: row.targets ?? [],
      creditEntries: JSON.stringify(row.credit_entries ?? []),
    },
  }
}
