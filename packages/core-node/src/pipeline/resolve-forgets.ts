import { ProtocolError } from '@aleph-ts/protocol'
import type pg from 'pg'
import { type Candidate, contentOf, fail, ownerOf } from './candidate.ts'

interface Target {
  status: string
  type: string | null
}

/**
 * Finds what FORGET messages remove (protocol 02 §12.1). Targets that were refused or forgotten before need nothing
 * more; unknown and pending ones are waited for.
 */
export async function resolveForgets(tx: pg.PoolClient, forgets: Candidate[]): Promise<void> {
  if (forgets.length === 0) return
  const contents = forgets.map((candidate) => contentOf(candidate, 'FORGET'))
  const targets = await loadTargets(
    tx,
    contents.flatMap((content) => content.hashes),
  )
  const guards = await loadGuards(
    tx,
    contents.flatMap((content) => content.hashes),
  )
  const elements = await loadElements(
    tx,
    forgets.flatMap((candidate, index) =>
      contents[index]!.aggregates.map((key) => [ownerOf(candidate), key] as const),
    ),
  )
  for (const [index, candidate] of forgets.entries()) {
    const { hashes, aggregates } = contents[index]!
    const owner = ownerOf(candidate)
    if (hashes.length === 0 && aggregates.length === 0) {
      fail(candidate, new ProtocolError('FORGET_NO_TARGET'))
      continue
    }
    const forgetItself = hashes.find((hash) => targets.get(hash)?.type === 'FORGET')
    if (forgetItself) {
      fail(candidate, new ProtocolError('FORGET_FORGET', { errors: [{ message: forgetItself }] }))
      continue
    }
    const missing = hashes.filter((hash) => (targets.get(hash)?.status ?? 'pending') === 'pending')
    const missingKey = aggregates.find((key) => !elements.has(elementKey(owner, key)))
    if (missing.length > 0 || missingKey !== undefined) {
      const error = missing.length > 0 ? { message: missing[0] } : { aggregate: missingKey }
      fail(candidate, new ProtocolError('FORGET_TARGET_NOT_FOUND', { errors: [error] }), missing)
      continue
    }
    const used = hashes.find((hash) => guards.has(hash))
    if (used) {
      const reason = `File ${used} used on vm ${guards.get(used)}`
      fail(candidate, new ProtocolError('FORGET_NOT_ALLOWED', { message: reason, errors: [reason] }))
      continue
    }
    candidate.targets = [...hashes, ...aggregates.flatMap((key) => elements.get(elementKey(owner, key))!)]
  }
}

async function loadTargets(tx: pg.PoolClient, hashes: string[]): Promise<Map<string, Target>> {
  const { rows } = await tx.query<Target & { item_hash: string }>(
    `select distinct on (s.item_hash) s.item_hash, s.status, m.type
     from message_status s left join messages m on m.item_hash = s.item_hash
     where s.item_hash = any($1) order by s.item_hash, s.rank`,
    [hashes],
  )
  return new Map(rows.map((row) => [row.item_hash, row]))
}

/** The VM that uses each STORE, for those that some VM uses. */
async function loadGuards(tx: pg.PoolClient, hashes: string[]): Promise<Map<string, string>> {
  const { rows } = await tx.query<{ ref: string; vm_hash: string }>(
    'select ref, min(vm_hash) as vm_hash from vm_references where ref = any($1) group by ref',
    [hashes],
  )
  return new Map(rows.map((row) => [row.ref, row.vm_hash]))
}

async function loadElements(
  tx: pg.PoolClient,
  keys: (readonly [owner: string, key: string])[],
): Promise<Map<string, string[]>> {
  if (keys.length === 0) return new Map()
  const { rows } = await tx.query<{ owner: string; key: string; hashes: string[] }>(
    `select e.owner, e.key, array_agg(distinct e.item_hash) as hashes from aggregate_elements e
     join unnest($1::text[], $2::text[]) as t(owner, key) on e.owner = t.owner and e.key = t.key
     group by e.owner, e.key`,
    [keys.map(([owner]) => owner), keys.map(([, key]) => key)],
  )
  return new Map(rows.map((row) => [elementKey(row.owner, row.key), row.hashes]))
}

function elementKey(owner: string, key: string): string {
  return `${owner}\n${key}`
}
