import type { Chain, MessageType, Place } from '@aleph-ts/protocol'
import type pg from 'pg'

/** What is left of a forgotten message whose content was erased, as one node tells another. */
export interface Tombstone {
  /** What the sender signed. */
  item_hash: string
  type: MessageType
  chain: Chain
  sender: string
  signature: string | null
  /** Epoch seconds; of the envelope, which some schemes sign. */
  time: number
  erased: {
    /** JSON text of its row in `forgotten_messages`; as text it keeps every digit. */
    row: string
    /** JSON text of what others are still judged by: rows of the tables below, by table. */
    facts: string
  }
}

/** What stands under which names because of a forgotten message. */
export interface Remembered {
  item_hash: string
  type: MessageType
  owner: string
  content_type: string | null
  content_ref: string | null
  content_key: string | null
  place: Place
  /** VMs it is a version of, and messages whose files it uses. */
  replaces: string[]
  uses: string[]
  charges: { account: string; payment_type: string }[]
}

/** Tables of facts that outlive a FORGET, with the column that names the message. */
const factTables = {
  ruling_elements: 'item_hash',
  stored_files: 'item_hash',
  vm_versions: 'item_hash',
  file_uses: 'vm_hash',
  charges: 'item_hash',
} as const

const facts = Object.entries(factTables)
  .map(
    ([table, column]) =>
      `'${table}', (select coalesce(json_agg(t), '[]') from ${table} t where t.${column} = f.item_hash)`,
  )
  .join(', ')

const load = `
  select item_hash, type, chain, sender, signature, time, json_build_object('row', to_json(f)::text,
    'facts', json_build_object(${facts})::text) as erased
  from forgotten_messages f
  where item_hash = any($1) and item_content is null and content is null`

/** What is left of forgotten messages, of those hashes whose content was erased; in any order. */
export async function loadTombstones(pool: pg.Pool, hashes: string[]): Promise<Tombstone[]> {
  const { rows } = await pool.query<Tombstone>({ name: 'load-tombstones', text: load, values: [hashes] })
  return rows
}

/** The signed part comes from the envelope, whatever the row says; what only the other node knows is left out. */
const insert = `
  with given as (
    select t.item_hash, t.type, t.chain, t.sender, t.signature, json_populate_record(null::forgotten_messages, t.told) as r
    from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::json[])
      as t(item_hash, type, chain, sender, signature, told)
    where exists (
        select from json_array_elements_text(t.told -> 'forgotten_by') as f(item_hash)
        join (select item_hash, type from messages union all select item_hash, type from pending_messages
              union all select item_hash, message ->> 'type' from rejected_messages) m on m.item_hash = f.item_hash
        where m.type = 'FORGET')
      and not exists (select from messages m where m.item_hash = t.item_hash)
      and not exists (select from pending_messages m where m.item_hash = t.item_hash)
      and not exists (select from removed_messages m where m.item_hash = t.item_hash)
      and (t.signature is not null
        or exists (select from message_confirmations c where c.item_hash = t.item_hash))
  )
  insert into forgotten_messages (item_hash, type, chain, sender, signature, item_type, time, channel, reception_time,
    owner, payment_type, size, forgotten_by, forgotten_at, place, until, content_type, content_ref, content_key,
    content_item_hash, first_confirmed_at, first_confirmed_height, sender_time)
  select item_hash, type, chain, sender, signature, (r).item_type, (r).time, (r).channel, now(), (r).owner,
    (r).payment_type, (r).size, (r).forgotten_by, (r).forgotten_at, (r).place, (r).until, (r).content_type,
    (r).content_ref, (r).content_key, (r).content_item_hash, (r).first_confirmed_at, (r).first_confirmed_height,
    (r).sender_time
  from given on conflict (item_hash) do nothing returning item_hash`

const read = `
  select item_hash, type, owner, content_type, content_ref, content_key, place,
    array(select v.replaces from vm_versions v where v.item_hash = f.item_hash and v.replaces is not null) as replaces,
    array(select u.ref from file_uses u where u.vm_hash = f.item_hash) as uses,
    (select coalesce(json_agg(json_build_object('account', c.account, 'payment_type', c.payment_type)), '[]')
     from charges c where c.item_hash = f.item_hash) as charges
  from forgotten_messages f where item_hash = any($1)`

/**
 * Remembers messages as forgotten, with what others are judged by, unless they are known here already, or no FORGET
 * that is said to have removed them is.
 *
 * @returns those that are new
 */
export async function insertTombstones(tx: pg.PoolClient, tombstones: Tombstone[]): Promise<Remembered[]> {
  const { rows } = await tx.query<{ item_hash: string }>(insert, [
    tombstones.map((tombstone) => tombstone.item_hash),
    tombstones.map((tombstone) => tombstone.type),
    tombstones.map((tombstone) => tombstone.chain),
    tombstones.map((tombstone) => tombstone.sender),
    tombstones.map((tombstone) => tombstone.signature),
    tombstones.map((tombstone) => tombstone.erased.row),
  ])
  const taken = new Set(rows.map((row) => row.item_hash))
  for (const { item_hash, erased } of tombstones.filter((tombstone) => taken.has(tombstone.item_hash))) {
    for (const [table, column] of Object.entries(factTables)) {
      await tx.query(
        `insert into ${table} select r.* from json_populate_recordset(null::${table}, $1::json -> $2) r
         where r.${column} = $3 on conflict do nothing`,
        [erased.facts, table, item_hash],
      )
    }
  }
  const remembered = await tx.query<Remembered>(read, [[...taken]])
  return remembered.rows
}
