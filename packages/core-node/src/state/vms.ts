import type pg from 'pg'
import { type Candidate, hashOf } from '../pipeline/candidate.ts'
import { type VmContent, vmContent } from '../pipeline/vm-files.ts'

const insert = `
  insert into vms (item_hash, owner, type, persistent, allow_amend, payment_type, replaces, created, content)
  select m.item_hash, m.owner, v.type, v.persistent, v.allow_amend, coalesce(m.payment_type, 'hold'), v.replaces,
    v.created, coalesce(m.content, m.item_content)::jsonb
  from unnest($1::text[], $2::text[], $3::bool[], $4::bool[], $5::text[], $6::float8[])
    as v(item_hash, type, persistent, allow_amend, replaces, created)
  join messages m on m.item_hash = v.item_hash`

/** Adds VMs; the candidates are in `messages` already. */
export async function insertVms(tx: pg.PoolClient, candidates: Candidate[]): Promise<void> {
  const contents = candidates.map(vmContent)
  await tx.query(insert, [
    candidates.map(hashOf),
    candidates.map((candidate) => candidate.envelope.type.toLowerCase()),
    contents.map(isPersistent),
    contents.map((content) => content.allow_amend),
    contents.map((content) => content.replaces ?? null),
    contents.map((content) => content.time),
  ])
}

/** Whether a VM runs for ever rather than on demand. */
export function isPersistent(content: VmContent): boolean {
  return 'on' in content ? content.on.persistent : true
}

export async function removeVms(tx: pg.PoolClient, hashes: string[]): Promise<void> {
  await tx.query('delete from vms where item_hash = any($1)', [hashes])
}
