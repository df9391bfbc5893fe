import type pg from 'pg'
import { elementSubjects, type Subject } from '../state/subjects.ts'
import { type Candidate, contentOf, ownerOf } from './candidate.ts'
import type { Span } from './span.ts'

/** What hangs on the targets of FORGET messages. */
export interface ForgetReach {
  /** Elements of the aggregates they name. */
  elementSubjects: Subject[]
  /** Amends of posts and versions of VMs, by the hash of the original. */
  children: Map<string, (Span & { item_hash: string })[]>
  /** VMs that use a STORE, by its hash. */
  users: Map<string, (Span & { vm_hash: string })[]>
}

const loadChildren = `
  select content_ref as parent, item_hash, place, null as until from messages
  where content_ref = any($1) and type = 'POST' and content_type = 'amend'
  union all
  select content_ref, item_hash, place, until from forgotten_messages
  where content_ref = any($1) and type = 'POST' and content_type = 'amend'
  union all
  select replaces, item_hash, place, until from vm_versions where replaces = any($1)
  order by 2`

export async function loadForgetReach(tx: pg.PoolClient, forgets: Candidate[]): Promise<ForgetReach> {
  const contents = forgets.map((candidate) => contentOf(candidate, 'FORGET'))
  const keys = forgets.flatMap((candidate, index) =>
    contents[index]!.aggregates.map((key) => [ownerOf(candidate), key] as const),
  )
  const hashes = contents.flatMap((content) => content.hashes)
  const reach: ForgetReach = { elementSubjects: [], children: new Map(), users: new Map() }
  if (keys.length > 0) reach.elementSubjects = await elementSubjects(tx, keys)
  if (hashes.length === 0) return reach
  const children = await tx.query<Span & { parent: string; item_hash: string }>(loadChildren, [hashes])
  reach.children = Map.groupBy(children.rows, (row) => row.parent)
  const users = await tx.query<Span & { ref: string; vm_hash: string }>(
    'select ref, vm_hash, place, until from file_uses where ref = any($1) order by vm_hash',
    [hashes],
  )
  reach.users = Map.groupBy(users.rows, (row) => row.ref)
  return reach
}
