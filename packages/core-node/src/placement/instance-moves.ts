import { instanceMovesKey, wantedComputeNodes } from '@aleph-ts/protocol'
import type pg from 'pg'
import type { Workload } from './workloads.ts'

/** Where owners want their VMs: VM → compute node. */
export async function loadWantedNodes(
  pool: pg.Pool,
  workloads: readonly Workload[],
): Promise<Map<string, string>> {
  const owners = new Set(workloads.map(({ owner }) => owner.toLowerCase()))
  const { rows } = await pool.query<{ owner: string; content: Record<string, unknown> }>(
    'select owner, content from aggregates where key = $1 and lower(owner) = any($2)',
    [instanceMovesKey, [...owners]],
  )
  return wantedComputeNodes(rows, workloads)
}
