import type { MessageType, PaymentType, Place } from '@aleph-ts/protocol'
import type pg from 'pg'
import { removeCosts } from './costs.ts'
import { endFacts } from './facts.ts'
import { refreshTags } from './files.ts'
import { removeLookups } from './lookups.ts'
import { removeVms } from './vms.ts'

/** How long an unpaid file stays before it may be collected, seconds (protocol 02 §15). */
const unpaidGraceSeconds = 25 * 3600

export interface RemovalNotice {
  item_hash: string
  type: MessageType
  owner: string
}

/** A message that its account pays for. */
export interface PaidResource extends RemovalNotice {
  status: 'processed' | 'removing'
  /** ALEPH, or credits per second; decimal text. */
  amount: string
  place: Place
  /** Bytes of a file. */
  size: number | null
  is_settled: boolean
}

/** What each account owes in one way, by account; decimal text. */
export async function loadDues(
  tx: pg.PoolClient,
  paymentType: PaymentType,
): Promise<{ account: string; due: string; has_removing: boolean }[]> {
  const { rows } = await tx.query<{ account: string; due: string; has_removing: boolean }>(
    `select c.account, sum(c.amount)::text as due,
       bool_or(exists (select from messages m where m.item_hash = c.item_hash and m.status = 'removing')) as has_removing
     from charges c where c.payment_type = $1 and c.until is null and c.amount > 0 group by c.account`,
    [paymentType],
  )
  return rows
}

/**
 * What an account pays for, the oldest first. `is_settled`: a chain confirmed it, or could have long ago.
 *
 * @param settledBefore reception of unconfirmed messages that count as settled
 */
export async function loadResources(
  tx: pg.PoolClient,
  account: string,
  paymentType: PaymentType,
  settledBefore: Date,
): Promise<PaidResource[]> {
  const { rows } = await tx.query<Omit<PaidResource, 'size'> & { size: bigint | null }>(
    `select m.item_hash, m.type, m.owner, m.status, c.amount::text as amount, c.place, f.size,
       m.first_confirmed_at is not null or m.reception_time < $3 as is_settled
     from charges c join messages m on m.item_hash = c.item_hash
     left join stored_files f on f.item_hash = c.item_hash
     where c.account = $1 and c.payment_type = $2 and c.until is null and c.amount > 0 order by c.place`,
    [account, paymentType, settledBefore],
  )
  return rows.map((row) => ({ ...row, size: row.size === null ? null : Number(row.size) }))
}

/** Suspends messages: nothing new may use their files, which go when the time of grace is over. */
export async function suspend(tx: pg.PoolClient, hashes: string[]): Promise<RemovalNotice[]> {
  const { rows } = await tx.query<RemovalNotice>(
    `update messages set status = 'removing' where item_hash = any($1) and status = 'processed'
     returning item_hash, type, owner`,
    [hashes],
  )
  const stores = rows.filter((row) => row.type === 'STORE').map((row) => row.item_hash)
  await tx.query(
    `update file_pins set type = 'grace_period', delete_by = now() + make_interval(secs => $2)
     where item_hash = any($1) and type = 'message'`,
    [stores, unpaidGraceSeconds],
  )
  await settleFiles(tx, stores, true)
  return rows
}

/** Lets suspended messages that are paid again be as they were. */
export async function recover(tx: pg.PoolClient, hashes: string[]): Promise<RemovalNotice[]> {
  const { rows } = await tx.query<RemovalNotice>(
    `update messages m set status = 'processed' where item_hash = any($1) and status = 'removing'
       and (type <> 'STORE' or exists (select from file_pins p where p.item_hash = m.item_hash and p.type = 'grace_period'))
     returning item_hash, type, owner`,
    [hashes],
  )
  const stores = rows.filter((row) => row.type === 'STORE').map((row) => row.item_hash)
  await tx.query(
    `update file_pins set type = 'message', delete_by = null where item_hash = any($1) and type = 'grace_period'`,
    [stores],
  )
  await settleFiles(tx, stores, false)
  return rows
}

async function settleFiles(tx: pg.PoolClient, stores: string[], suspended: boolean): Promise<void> {
  if (stores.length === 0) return
  const { rows } = await tx.query<{ tag: string }>(
    'update stored_files set suspended = $2 where item_hash = any($1) returning tag',
    [stores, suspended],
  )
  await refreshTags(
    tx,
    rows.map((row) => row.tag),
  )
}

/**
 * Removes suspended messages whose time is over: VMs at once, files when nothing holds them for their message any
 * more. What they were is remembered; what they cost and the files they guarded are free (protocol 02 §16.3).
 *
 * @param until the place of this moment in the order of messages
 */
export async function removeSuspended(tx: pg.PoolClient, until: Place): Promise<RemovalNotice[]> {
  const { rows } = await tx.query<RemovalNotice>(
    `with gone as (
       delete from messages m where status = 'removing' and (type <> 'STORE' or not exists (
         select from file_pins p where p.item_hash = m.item_hash and p.type <> 'content'))
       returning *
     )
     insert into removed_messages (item_hash, type, chain, sender, signature, item_type, time, channel, reception_time,
       owner, payment_type, size, place, seq, sender_time)
     select g.item_hash, g.type, g.chain, g.sender, g.signature, g.item_type, g.time, g.channel, g.reception_time,
       g.owner, coalesce(g.payment_type, 'hold'), f.size, g.place, g.seq, g.sender_time
     from gone g left join stored_files f on f.item_hash = g.item_hash
     returning item_hash, type, owner`,
    [],
  )
  if (rows.length === 0) return []
  const hashes = rows.map((row) => row.item_hash)
  await tx.query(`delete from file_pins where item_hash = any($1) and type = 'content'`, [hashes])
  await removeVms(tx, hashes)
  await removeCosts(tx, hashes)
  await endFacts(
    tx,
    hashes.map((itemHash) => ({ itemHash, until })),
  )
  await removeLookups(tx, hashes)
  return rows
}

/**
 * Messages refused for want of ALEPH are judged again: what accounts hold has no place in the order of messages. So are
 * those refused for want of anything before their file was fetched.
 */
export async function reviewRefusedHolders(tx: pg.PoolClient): Promise<void> {
  await tx.query(
    `insert into stale_verdicts (item_hash) select item_hash from rejected_messages
     where error_code = 5 or (error_code = 6 and place is null)
     order by 1 on conflict do nothing`,
  )
}
