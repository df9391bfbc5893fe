import type { MessageType } from '@aleph-ts/protocol'
import type pg from 'pg'
import { removeAggregateElements } from './aggregates.ts'
import { removeCosts } from './costs.ts'
import { removeStores } from './files.ts'
import { removePosts } from './posts.ts'
import { removeVms } from './vms.ts'

export interface ForgottenMessage {
  item_hash: string
  type: MessageType
  owner: string
}

/**
 * Takes messages out of the state, with everything they made (protocol 02 §12.2). Hashes that were forgotten before
 * only remember one more FORGET.
 *
 * @param forgottenAt time of the FORGET, epoch seconds
 * @returns what left the state now, cascades included
 */
export async function forgetMessages(
  tx: pg.PoolClient,
  hashes: string[],
  by: { itemHash: string; time: number },
): Promise<ForgottenMessage[]> {
  await tx.query(
    `update forgotten_messages set forgotten_by = forgotten_by || $2::text
     where item_hash = any($1) and not $2::text = any(forgotten_by)`,
    [hashes, by.itemHash],
  )
  const forgotten: ForgottenMessage[] = []
  for (let targets = hashes; targets.length > 0; ) {
    const gone = await moveToForgotten(tx, targets, by)
    forgotten.push(...gone)
    targets = await removeWhatTheyMade(tx, gone)
  }
  await removeCosts(
    tx,
    forgotten.map((message) => message.item_hash),
  )
  return forgotten
}

async function moveToForgotten(
  tx: pg.PoolClient,
  hashes: string[],
  by: { itemHash: string; time: number },
): Promise<ForgottenMessage[]> {
  const { rows } = await tx.query<ForgottenMessage>(
    `with gone as (delete from messages where item_hash = any($1) returning *)
     insert into forgotten_messages (item_hash, type, chain, sender, signature, item_type, time, channel,
       reception_time, owner, payment_type, size, forgotten_by, forgotten_at)
     select g.item_hash, g.type, g.chain, g.sender, g.signature, g.item_type, g.time, g.channel, g.reception_time,
       g.owner, coalesce(g.payment_type, 'hold'), f.size, array[$2::text], $3
     from gone g left join files f on g.type = 'STORE' and f.hash = g.content_item_hash
     returning item_hash, type, owner`,
    [hashes, by.itemHash, by.time],
  )
  return rows
}

/** @returns messages that go with the forgotten ones: amends of posts, updates of VMs */
async function removeWhatTheyMade(tx: pg.PoolClient, gone: ForgottenMessage[]): Promise<string[]> {
  const ofTypes = (...types: MessageType[]) =>
    gone.filter((message) => types.includes(message.type)).map((message) => message.item_hash)
  const [posts, aggregates, vms] = [
    ofTypes('POST'),
    ofTypes('AGGREGATE'),
    ofTypes('PROGRAM', 'INSTANCE', 'V-PROGRAM'),
  ]
  if (aggregates.length > 0) await removeAggregateElements(tx, aggregates)
  // Contents of non-inline messages are pinned like files of STORE messages.
  if (gone.length > 0)
    await removeStores(
      tx,
      gone.map((message) => message.item_hash),
    )
  return [
    ...(posts.length > 0 ? await removePosts(tx, posts) : []),
    ...(vms.length > 0 ? await removeVms(tx, vms) : []),
  ]
}
