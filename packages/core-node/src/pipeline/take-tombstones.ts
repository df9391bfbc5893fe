import type pg from 'pg'
import { dependents } from '../state/lookups.ts'
import { wakeWaiting } from '../state/pending.ts'
import { removeRejections } from '../state/rejections.ts'
import { isTariff } from '../state/ruling-elements.ts'
import { addStaleVerdicts } from '../state/stale-verdicts.ts'
import { insertTombstones, type Remembered, type Tombstone } from '../state/tombstones.ts'
import { chargesOf, childrenOf, elementsOf, prices, revisionsOf, rightsOf, usersOf } from './names.ts'

/**
 * Learns of forgotten messages whose content nobody holds any more: the FORGET that names them, and whatever was judged
 * by them, is judged again.
 */
export async function takeTombstones(tx: pg.PoolClient, tombstones: Tombstone[]): Promise<void> {
  const remembered = await insertTombstones(tx, tombstones)
  if (remembered.length === 0) return
  await removeRejections(
    tx,
    remembered.map((message) => message.item_hash),
  )
  const changes = remembered.flatMap((message) =>
    namesOf(message).map((name) => ({ name, place: message.place, index: 0 })),
  )
  await addStaleVerdicts(tx, (await dependents(tx, changes)).keys())
  await wakeWaiting(
    tx,
    changes.map((change) => change.name),
  )
}

/** The names that the rules of its type would make, from what is remembered. */
function namesOf(message: Remembered): string[] {
  const { item_hash, type, owner, content_type, content_ref, content_key } = message
  const names = [
    item_hash,
    ...message.replaces.map(childrenOf),
    ...message.uses.map(usersOf),
    ...message.charges.map(({ account, payment_type }) => chargesOf(account, payment_type)),
  ]
  if (type === 'POST' && content_type === 'amend' && content_ref) names.push(childrenOf(content_ref))
  if (type === 'STORE') names.push(revisionsOf(content_ref ?? item_hash))
  if (type === 'AGGREGATE' && content_key !== null) {
    names.push(elementsOf(owner, content_key))
    if (content_key === 'security') names.push(rightsOf(owner))
    if (isTariff(content_key)) names.push(prices)
  }
  return names
}
