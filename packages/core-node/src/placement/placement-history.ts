import { EventEmitter } from 'node:events'
import type { PlacementHistoryEntry } from '@aleph-ts/protocol'
import type pg from 'pg'

/** What clients of the scheduler's socket are told (protocol 06 §7.2). */
export type PlacementEvent =
  | { type: 'VmScheduled' | 'VmUnscheduled'; vmHash: string; nodeHash: string }
  | { type: 'VmMigrated'; vmHash: string; sourceHash: string; targetHash: string }
  | { type: 'VmUnschedulable'; vmHash: string }

export interface SeenPlaces {
  /** Compute node by VM hash. */
  places: ReadonlyMap<string, string>
  /** VMs that fit nowhere. */
  unschedulable: ReadonlySet<string>
  /** Why a VM left a compute node, a stable code. */
  reasonToLeave: (vmHash: string, nodeHash: string) => string
}

type Entry = Pick<PlacementHistoryEntry, 'vm_hash' | 'node_hash' | 'action' | 'reason'>

/** What happened to the places of VMs, as this core node saw it: kept, and told to who listens. */
export class PlacementHistory {
  readonly events = new EventEmitter<{ event: [PlacementEvent] }>()
  readonly #pool: pg.Pool
  #places: Map<string, string> | undefined
  #unschedulable: ReadonlySet<string> = new Set()

  constructor(pool: pg.Pool) {
    this.#pool = pool
  }

  /** Notes what is other than it was when this was called last, by this process or the one before. */
  async note({ places, unschedulable, reasonToLeave }: SeenPlaces): Promise<void> {
    const before = await this.lastPlaces()
    const entries: Entry[] = []
    const events: PlacementEvent[] = []
    for (const [vmHash, nodeHash] of places) {
      const sourceHash = before.get(vmHash)
      if (sourceHash === nodeHash) continue
      if (sourceHash === undefined) {
        entries.push({ vm_hash: vmHash, node_hash: nodeHash, action: 'scheduled', reason: null })
        events.push({ type: 'VmScheduled', vmHash, nodeHash })
        continue
      }
      const reason = reasonToLeave(vmHash, sourceHash)
      entries.push({ vm_hash: vmHash, node_hash: sourceHash, action: 'migrated_from', reason })
      entries.push({ vm_hash: vmHash, node_hash: nodeHash, action: 'migrated_to', reason })
      events.push({ type: 'VmMigrated', vmHash, sourceHash, targetHash: nodeHash })
    }
    for (const [vmHash, nodeHash] of before) {
      if (places.has(vmHash)) continue
      const reason = reasonToLeave(vmHash, nodeHash)
      entries.push({ vm_hash: vmHash, node_hash: nodeHash, action: 'unscheduled', reason })
      events.push({ type: 'VmUnscheduled', vmHash, nodeHash })
    }
    for (const vmHash of unschedulable) {
      if (!this.#unschedulable.has(vmHash)) events.push({ type: 'VmUnschedulable', vmHash })
    }
    await this.#insert(entries)
    this.#places = new Map(places)
    this.#unschedulable = unschedulable
    for (const event of events) this.events.emit('event', event)
  }

  /** Notes that a VM that was on its way to a compute node is where it was after all. */
  async noteReturn(vmHash: string, { from, to, reason }: { from: string; to: string; reason: string }) {
    await this.#insert([
      { vm_hash: vmHash, node_hash: from, action: 'migrated_from', reason },
      { vm_hash: vmHash, node_hash: to, action: 'migrated_to', reason },
    ])
  }

  /** Entries about a VM or a compute node, newest first. */
  async page(
    column: 'vm_hash' | 'node_hash',
    hash: string,
    { page, pageSize }: { page: number; pageSize: number },
  ): Promise<{ entries: PlacementHistoryEntry[]; total: number }> {
    const [entries, total] = await Promise.all([
      this.#pool.query<Omit<PlacementHistoryEntry, 'id' | 'timestamp'> & { id: bigint; at: Date }>(
        `select * from placement_history where ${column} = $1 order by id desc limit $2 offset $3`,
        [hash, pageSize, (page - 1) * pageSize],
      ),
      this.#pool.query<{ total: bigint }>(
        `select count(*) as total from placement_history where ${column} = $1`,
        [hash],
      ),
    ])
    return {
      entries: entries.rows.map(({ id, at, vm_hash, node_hash, action, reason }) => ({
        id: Number(id),
        vm_hash,
        node_hash,
        action,
        reason,
        timestamp: at.toISOString(),
      })),
      total: Number(total.rows[0]!.total),
    }
  }

  /** Compute node by VM hash, as they were noted last. */
  async lastPlaces(): Promise<ReadonlyMap<string, string>> {
    this.#places ??= await this.#loadPlaces()
    return this.#places
  }

  async #loadPlaces(): Promise<Map<string, string>> {
    const { rows } = await this.#pool.query<Pick<Entry, 'vm_hash' | 'node_hash' | 'action'>>(
      'select distinct on (vm_hash) vm_hash, node_hash, action from placement_history order by vm_hash, id desc',
    )
    const placed = rows.filter(({ action }) => action === 'scheduled' || action === 'migrated_to')
    return new Map(placed.map(({ vm_hash, node_hash }) => [vm_hash, node_hash]))
  }

  async #insert(entries: Entry[]): Promise<void> {
    if (entries.length === 0) return
    await this.#pool.query(
      `insert into placement_history (vm_hash, node_hash, action, reason)
       select * from unnest($1::text[], $2::text[], $3::text[], $4::text[])`,
      [
        entries.map((entry) => entry.vm_hash),
        entries.map((entry) => entry.node_hash),
        entries.map((entry) => entry.action),
        entries.map((entry) => entry.reason),
      ],
    )
  }
}
