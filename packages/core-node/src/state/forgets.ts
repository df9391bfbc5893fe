import type { MessageType, Place } from '@aleph-ts/protocol'
import type pg from 'pg'

export interface ForgottenMessage {
  item_hash: string
  type: MessageType
  owner: string
}

/** How long the content of a forgotten message is kept, in case its FORGET turns out not to have been allowed. */
export const retentionSeconds = 24 * 3600

/** Which FORGET messages name a message, now and before. */
export interface Forgetting {
  item_hash: string
  /** In the order of judgement; empty when none is left. */
  forgotten_by: string[]
  /** Place of the first of them. */
  until: Place | null
  /** Where the message is recorded now. */
  held: 'messages' | 'forgotten'
  /** What is recorded now. */
  old_until: Place | null
  /** False when the content was erased: it cannot come back. */
  can_return: boolean
}

/** Replaces the targets of FORGET messages. */
export async function replaceForgetTargets(
  tx: pg.PoolClient,
  forgets: { itemHash: string; place: Place | null; targets: string[] }[],
): Promise<void> {
  await tx.query('delete from forget_targets where forget_hash = any($1)', [
    forgets.map((forget) => forget.itemHash),
  ])
  const rows = forgets.flatMap((forget) => forget.targets.map((target) => ({ ...forget, target })))
  await tx.query(
    `insert into forget_targets (forget_hash, target, place) select * from unnest($1::text[], $2::text[], $3::text[])`,
    [rows.map((row) => row.itemHash), rows.map((row) => row.target), rows.map((row) => row.place)],
  )
}

/** No FORGET names these any more. */
export async function releaseTargets(tx: pg.PoolClient, targets: string[]): Promise<void> {
  await tx.query('delete from forget_targets where target = any($1)', [targets])
}

/** Compares what FORGET messages say about messages with what is recorded. */
export async function loadForgettings(tx: pg.PoolClient, hashes: string[]): Promise<Forgetting[]> {
  const { rows } = await tx.query<Forgetting>(
    `select k.item_hash, k.held, k.old_until, k.can_return,
       coalesce(array_agg(t.forget_hash order by t.place) filter (where t.forget_hash is not null), '{}') as forgotten_by,
       min(t.place) as until
     from (
       select item_hash, 'messages' as held, null as old_until, true as can_return from messages where item_hash = any($1)
       union all
       select item_hash, 'forgotten', until, item_content is not null or content is not null
       from forgotten_messages where item_hash = any($1)
     ) k left join forget_targets t on t.target = k.item_hash
     group by k.item_hash, k.held, k.old_until, k.can_return`,
    [hashes],
  )
  return rows
}

/** Moves messages out of the state into the record of forgotten ones. */
export async function recordForgotten(
  tx: pg.PoolClient,
  forgettings: Forgetting[],
): Promise<ForgottenMessage[]> {
  const { rows } = await tx.query<ForgottenMessage>(
    `with gone as (delete from messages where item_hash = any($1) returning *),
     bills as (
       select c.item_hash, json_agg(json_build_object('type', c.type, 'name', c.name, 'ref', c.ref,
         'payment_type', c.payment_type, 'cost_hold', c.cost_hold::text, 'cost_stream', c.cost_stream::text,
         'cost_credit', c.cost_credit::text)) as bill
       from account_costs c where c.item_hash = any($1) group by c.item_hash
     )
     insert into forgotten_messages (item_hash, type, chain, sender, signature, item_type, item_content, content, time,
       channel, reception_time, owner, content_type, content_ref, content_key, content_item_hash, payment_type, size,
       forgotten_by, forgotten_at, place, until, seq, bill, first_confirmed_at, first_confirmed_height, sender_time,
       erase_after)
     select g.item_hash, g.type, g.chain, g.sender, g.signature, g.item_type, g.item_content, g.content, g.time,
       g.channel, g.reception_time, g.owner, g.content_type, g.content_ref, g.content_key, g.content_item_hash,
       coalesce(g.payment_type, 'hold'), f.size, '{}', 0, g.place, '~', g.seq, b.bill, g.first_confirmed_at,
       g.first_confirmed_height, g.sender_time,
       now() + make_interval(secs => $2)
     from gone g left join stored_files f on f.item_hash = g.item_hash left join bills b on b.item_hash = g.item_hash
     returning item_hash, type, owner`,
    [forgettings.map((forgetting) => forgetting.item_hash), retentionSeconds],
  )
  return rows
}

/** Writes down who forgot messages, and as of when. */
export async function updateForgotten(tx: pg.PoolClient, forgettings: Forgetting[]): Promise<void> {
  await tx.query(
    `update forgotten_messages f set until = v.until,
       forgotten_by = array(select t.forget_hash from forget_targets t where t.target = f.item_hash order by t.place),
       forgotten_at = (select (select m.sender_time / 1e6::float8 from messages m where m.item_hash = t.forget_hash)
                       from forget_targets t where t.target = f.item_hash order by t.place limit 1)
     from unnest($1::text[], $2::text[]) as v(item_hash, until) where f.item_hash = v.item_hash`,
    [
      forgettings.map((forgetting) => forgetting.item_hash),
      forgettings.map((forgetting) => forgetting.until),
    ],
  )
}

export async function removeForgotten(tx: pg.PoolClient, hashes: string[]): Promise<void> {
  await tx.query('delete from forgotten_messages where item_hash = any($1)', [hashes])
}

/**
 * Really erases the contents of messages that were forgotten long enough ago. Posts that make credits and balances
 * stay: a FORGET does not undo what they made (protocol 02, trap T11), and a new node has it from nowhere else.
 */
export async function eraseForgotten(tx: pg.PoolClient, now: Date): Promise<void> {
  await tx.query(
    `update forgotten_messages f set item_content = null, content = null, bill = null, erase_after = null
     where erase_after < $1
       and not exists (select from credit_history c where c.credit_ref = f.item_hash)
       and not exists (select from reported_balances b where b.item_hash = f.item_hash)`,
    [now],
  )
}
