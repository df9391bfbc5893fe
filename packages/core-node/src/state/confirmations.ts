import type { Chain } from '@aleph-ts/protocol'
import type pg from 'pg'
import type { UnsignedFields } from './unsigned-fields.ts'

type Connection = pg.Pool | pg.PoolClient

/** A transaction in which a contract spoke to the network (protocol 04 §12). */
export interface ChainTransaction {
  hash: string
  chain: Chain
  height: number
  /** Time of the event, epoch seconds. */
  time: number
  /** Who spoke: a batch's emitter, or the writer of a message. */
  publisher: string
  protocol: string
  protocolVersion: number
  /** The event's content as JSON text. */
  content: string
}

/** The message stands in the transaction. */
export interface Confirmation {
  itemHash: string
  txHash: string
  /** The unsigned fields of the copy that the transaction carries, where it carries one. */
  copy?: UnsignedFields
}

/** When a message was first confirmed; the minimum of each over all its confirmations (protocol 04 §15). */
export interface FirstConfirmation {
  /** Epoch seconds, on whatever chain. */
  time: number
  /** On Ethereum, which blocks are counted by; null when only other chains confirmed it. */
  height: number | null
  /** The unsigned fields of the copy that was confirmed first, where a transaction carried one. */
  copy?: UnsignedFields
}

declare module '../database/schema.ts' {
  interface Database {
    chain_txs: ChainTxsTable
    message_confirmations: { item_hash: string; tx_hash: string; time: number | null; channel: string | null }
  }
}

export interface ChainTxsTable {
  hash: string
  chain: string
  height: bigint
  datetime: Date
  publisher: string
  protocol: string
  protocol_version: number
  content: unknown
}

/** Records transactions; those known already stay as they are. */
export async function recordTransactions(db: Connection, transactions: ChainTransaction[]): Promise<void> {
  if (transactions.length === 0) return
  await db.query(
    `insert into chain_txs (hash, chain, height, datetime, publisher, protocol, protocol_version, content)
     select hash, chain, height, to_timestamp(time), publisher, protocol, protocol_version, content::json
     from unnest($1::text[], $2::text[], $3::bigint[], $4::float8[], $5::text[], $6::text[], $7::int[], $8::text[])
       as t(hash, chain, height, time, publisher, protocol, protocol_version, content)
     on conflict (hash) do nothing`,
    [
      transactions.map((transaction) => transaction.hash),
      transactions.map((transaction) => transaction.chain),
      transactions.map((transaction) => transaction.height),
      transactions.map((transaction) => transaction.time),
      transactions.map((transaction) => transaction.publisher),
      transactions.map((transaction) => transaction.protocol),
      transactions.map((transaction) => transaction.protocolVersion),
      transactions.map((transaction) => transaction.content),
    ],
  )
}

/**
 * Records that transactions carry messages, whether the messages are known here or not. A transaction that the chain
 * has taken back meanwhile confirms nothing. Of two copies in one transaction the least one counts.
 *
 * @returns the messages that have a confirmation they lacked
 */
export async function recordConfirmations(db: Connection, confirmations: Confirmation[]): Promise<string[]> {
  if (confirmations.length === 0) return []
  const { rows } = await db.query<{ item_hash: string }>(
    `insert into message_confirmations (item_hash, tx_hash, time, channel)
     select distinct on (c.item_hash, c.tx_hash) c.item_hash, c.tx_hash, c.time, c.channel
     from unnest($1::text[], $2::text[], $3::float8[], $4::text[]) as c(item_hash, tx_hash, time, channel)
     join chain_txs t on t.hash = c.tx_hash
     order by c.item_hash, c.tx_hash, c.time, c.channel collate "C"
     on conflict do nothing returning item_hash`,
    [
      confirmations.map((confirmation) => confirmation.itemHash),
      confirmations.map((confirmation) => confirmation.txHash),
      confirmations.map((confirmation) => confirmation.copy?.time ?? null),
      confirmations.map((confirmation) => confirmation.copy?.channel ?? null),
    ],
  )
  return [...new Set(rows.map((row) => row.item_hash))]
}

/**
 * Forgets transactions that a chain took back, and what they confirmed.
 *
 * @returns the messages that have a confirmation less
 */
export async function forgetConfirmations(db: Connection, txHashes: string[]): Promise<string[]> {
  if (txHashes.length === 0) return []
  const { rows } = await db.query<{ item_hash: string }>(
    'delete from message_confirmations where tx_hash = any($1) returning item_hash',
    [txHashes],
  )
  await db.query('delete from chain_txs where hash = any($1)', [txHashes])
  return [...new Set(rows.map((row) => row.item_hash))]
}

/** When each of the messages was first confirmed; those without confirmation are absent. */
export async function firstConfirmations(
  db: Connection,
  itemHashes: string[],
): Promise<Map<string, FirstConfirmation>> {
  if (itemHashes.length === 0) return new Map()
  const { rows } = await db.query<{
    item_hash: string
    time: number
    height: bigint | null
    copy_time: number | null
    copy_channel: string | null
  }>({
    name: 'first-confirmations',
    text: `select c.item_hash, extract(epoch from min(t.datetime))::float8 as time,
             min(t.height) filter (where t.chain = 'ETH') as height,
             (array_agg(c.time order by t.datetime, t.hash collate "C") filter (where c.time is not null))[1] as copy_time,
             (array_agg(c.channel order by t.datetime, t.hash collate "C") filter (where c.time is not null))[1] as copy_channel
           from message_confirmations c join chain_txs t on t.hash = c.tx_hash
           where c.item_hash = any($1) group by c.item_hash`,
    values: [itemHashes],
  })
  return new Map(
    rows.map(({ item_hash, time, height, copy_time, copy_channel: channel }) => [
      item_hash,
      {
        time,
        height: height === null ? null : Number(height),
        copy: copy_time === null ? undefined : { time: copy_time, channel },
      },
    ]),
  )
}

/** Changed confirmations taken up in one transaction. */
const mostAtOnce = 500

/**
 * Takes some of the messages whose confirmations changed, and writes beside those of the state when they were first
 * confirmed. Empty when there are none.
 */
export async function takeChangedConfirmations(tx: pg.PoolClient): Promise<string[]> {
  const { rows } = await tx.query<{ item_hash: string }>(
    `delete from changed_confirmations where item_hash in (select item_hash from changed_confirmations limit $1)
     returning item_hash`,
    [mostAtOnce],
  )
  const hashes = rows.map((row) => row.item_hash)
  if (hashes.length === 0) return hashes
  const confirmations = await firstConfirmations(tx, hashes)
  for (const table of ['messages', 'forgotten_messages']) {
    await tx.query(
      `update ${table} m set first_confirmed_at = to_timestamp(v.time), first_confirmed_height = v.height
       from unnest($1::text[], $2::float8[], $3::bigint[]) as v(item_hash, time, height)
       where m.item_hash = v.item_hash`,
      [
        hashes,
        hashes.map((hash) => confirmations.get(hash)?.time ?? null),
        hashes.map((hash) => confirmations.get(hash)?.height ?? null),
      ],
    )
  }
  return hashes
}
