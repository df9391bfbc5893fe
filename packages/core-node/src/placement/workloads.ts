import { type MessageType, type PlannedVm, parseContent, vmRequirements } from '@aleph-ts/protocol'
import type pg from 'pg'

/** Something that wants to run on a compute node. */
export interface Workload extends PlannedVm {
  kind: WorkloadKind
  owner: string
  sender: string
  paymentType: string
  /** Where a stream flows. */
  paymentChain: string | null
  /** The cards it asks for, as its message names them. */
  gpus: { device_id: string }[]
}
export type WorkloadKind = 'on_demand_program' | 'persistent_program' | 'instance' | 'v_program'

/** Messages of these types, and the forgetting of them, change what has to run. */
export const workloadTypes: readonly MessageType[] = ['PROGRAM', 'INSTANCE', 'V-PROGRAM']

interface WorkloadRow {
  item_hash: string
  /** Type of its message, in lower case. */
  type: string
  persistent: boolean
  owner: string
  sender: string
  payment_type: string
  created: number
  content: unknown
}

/** Every VM of the state; what its message asks for is read once, as a message never changes. */
export class WorkloadCatalog {
  readonly #pool: pg.Pool
  #known = new Map<string, Workload>()

  constructor(pool: pg.Pool) {
    this.#pool = pool
  }

  /** All VMs that are paid for as far as the state tells, oldest first; an amended program counts once, under its first hash. */
  async load(): Promise<Workload[]> {
    const { rows } = await this.#pool.query<{ item_hash: string; height: bigint | null }>(
      `select v.item_hash, m.first_confirmed_height as height
       from vms v join messages m on m.item_hash = v.item_hash
       where v.replaces is null and m.status = 'processed' order by v.created, v.item_hash`,
    )
    const unknown = rows.filter((row) => !this.#known.has(row.item_hash)).map((row) => row.item_hash)
    for (const workload of await this.#read(unknown)) this.#known.set(workload.hash, workload)
    const workloads = rows.flatMap(({ item_hash, height }) => {
      const workload = this.#known.get(item_hash)
      return workload ? { ...workload, confirmedHeight: height === null ? null : Number(height) } : []
    })
    this.#known = new Map(workloads.map((workload) => [workload.hash, workload]))
    return workloads
  }

  async #read(hashes: string[]): Promise<Workload[]> {
    if (hashes.length === 0) return []
    const { rows } = await this.#pool.query<WorkloadRow>(
      `select v.item_hash, v.type, v.persistent, v.owner, v.payment_type, v.created, v.content, m.sender
       from vms v join messages m on m.item_hash = v.item_hash where v.item_hash = any($1)`,
      [hashes],
    )
    return rows.map((row) => {
      const content = contentOf(row)
      return {
        hash: row.item_hash,
        kind: kindOf(row),
        owner: row.owner,
        sender: row.sender,
        paymentType: row.payment_type,
        paymentChain: content.payment?.chain ?? null,
        gpus: content.requirements?.gpu ?? [],
        requirements: vmRequirements(content),
        confirmedHeight: null,
        time: row.created,
      }
    })
  }
}

function contentOf({ type, content }: WorkloadRow) {
  const messageType = type.toUpperCase() as 'PROGRAM' | 'INSTANCE' | 'V-PROGRAM'
  return parseContent(messageType, content)
}

function kindOf({ type, persistent }: WorkloadRow): WorkloadKind {
  if (type === 'instance') return 'instance'
  if (type === 'v-program') return 'v_program'
  return persistent ? 'persistent_program' : 'on_demand_program'
}
