import type { SchedulerVm } from '@aleph-ts/protocol'
import type pg from 'pg'

/** A VM that was placed once, and that nobody wants any more, or nobody pays for. */
export interface EndedVm {
  hash: string
  type: SchedulerVm['vm_type']
  owner: string
  sender: string
  paymentType: string | null
  isUnpaid: boolean
  /** Null while it may still be paid for. */
  endedAt: Date | null
}

export interface EndedVmFilter {
  owners?: string[] | undefined
  sender?: string | undefined
  /** How the hash begins. */
  prefix?: string | undefined
  /** Only these hashes, or all but these. */
  among?: { hashes: readonly string[]; isIn: boolean } | undefined
}

interface EndedRow {
  item_hash: string
  type: string
  owner: string
  sender: string
  payment_type: string | null
  is_unpaid: boolean
  ended_at: Date | null
  persistent: boolean | null
}

const matches = `($1::text[] is null or owner = any($1)) and ($2::text is null or sender = $2)
  and starts_with(item_hash, $3) and (item_hash = any($4)) is not distinct from coalesce($5, item_hash = any($4))`

/** A page of the VMs that have ended, in the order of their hashes, and how many there are. */
export async function loadEndedVms(
  pool: pg.Pool,
  { owners, sender, prefix = '', among }: EndedVmFilter,
  { skip, limit }: { skip: number; limit: number },
): Promise<{ vms: EndedVm[]; total: number }> {
  const values = [owners ?? null, sender ?? null, prefix, among?.hashes ?? [], among?.isIn ?? null]
  const [page, count] = await Promise.all([
    pool.query<EndedRow>(`select * from ended_vms where ${matches} order by item_hash limit $6 offset $7`, [
      ...values,
      limit,
      skip,
    ]),
    pool.query<{ total: bigint }>(`select count(*) as total from ended_vms where ${matches}`, values),
  ])
  return { vms: page.rows.map(endedVm), total: Number(count.rows[0]!.total) }
}

/** One VM that has ended; undefined for others. */
export async function findEndedVm(pool: pg.Pool, hash: string): Promise<EndedVm | undefined> {
  const { rows } = await pool.query<EndedRow>('select * from ended_vms where item_hash = $1', [hash])
  return rows.map(endedVm)[0]
}

function endedVm(row: EndedRow): EndedVm {
  return {
    hash: row.item_hash,
    type: typeOf(row),
    owner: row.owner,
    sender: row.sender,
    paymentType: row.payment_type,
    isUnpaid: row.is_unpaid,
    endedAt: row.ended_at,
  }
}

function typeOf({ type, persistent }: Pick<EndedRow, 'type' | 'persistent'>): EndedVm['type'] {
  if (type === 'INSTANCE') return 'instance'
  if (type === 'V-PROGRAM') return 'v_program'
  return persistent ? 'persistent_program' : 'micro_vm'
}
