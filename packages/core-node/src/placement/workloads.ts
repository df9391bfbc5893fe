import type { MessageType } from '@aleph-ts/protocol'
import type pg from 'pg'

/** Something that wants to run on a compute node. */
export interface Workload {
  hash: string
  kind: WorkloadKind
  /** Content of its message. */
  content: unknown
}
export type WorkloadKind = 'on_demand_program' | 'persistent_program' | 'instance' | 'v_program'

/** Messages of these types, and the forgetting of them, change what has to run. */
export const workloadTypes: readonly MessageType[] = ['PROGRAM', 'INSTANCE', 'V-PROGRAM']

/** Every VM of the state, oldest first; an amended program counts once, under its first hash. */
export async function loadWorkloads(pool: pg.Pool): Promise<Workload[]> {
  const { rows } = await pool.query<{
    item_hash: string
    type: string
    persistent: boolean
    content: unknown
  }>(
    `select item_hash, type, persistent, content from vms where replaces is null
     order by created, item_hash`,
  )
  return rows.map((row) => ({
    hash: row.item_hash,
    kind: kindOf(row.type, row.persistent),
    content: row.content,
  }))
}

function kindOf(type: string, persistent: boolean): WorkloadKind {
  const name = type.toUpperCase()
  if (name === 'INSTANCE') return 'instance'
  if (name === 'V-PROGRAM') return 'v_program'
  return persistent ? 'persistent_program' : 'on_demand_program'
}
