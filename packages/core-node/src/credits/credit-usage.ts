import {
  type AllocationChange,
  type AssignmentLease,
  addressKey,
  allocationSchema,
  allocationsKey,
  assignmentLeases,
  type BillingWindow,
  type CorechannelAggregate,
  type CreditCharge,
  type Place,
  placeAt,
  timeOfPlace,
} from '@aleph-ts/protocol'
import type pg from 'pg'
import { claimants } from '../placement/claims.ts'

const bytesPerMib = 2 ** 20

/** What accounts owe in credits for resources that existed in a window. */
export async function loadCreditCharges(pool: pg.Pool, window: BillingWindow): Promise<CreditCharge[]> {
  const { rows } = await pool.query<{
    item_hash: string
    account: string
    amount: string
    place: Place
    until: Place | null
    is_file: boolean
    size: bigint | null
  }>(
    `select c.item_hash, c.account, c.amount::text as amount, c.place, c.until, f.item_hash is not null as is_file, f.size
     from charges c left join stored_files f on f.item_hash = c.item_hash
     where c.payment_type = 'credit' and c.amount > 0 and c.place < $2 and (c.until is null or c.until > $1)`,
    [placeAt(window.start), placeAt(window.end)],
  )
  return rows.map((row) => ({
    resource: row.item_hash,
    kind: row.is_file ? 'storage' : 'execution',
    payer: row.account,
    creditsPerSecond: row.amount,
    since: timeOfPlace(row.place),
    until: row.until === null ? null : timeOfPlace(row.until),
    ...(row.size === null ? {} : { sizeMib: Number(row.size) / bytesPerMib }),
  }))
}

/**
 * Which compute node had which VM when, by what the owners of active core nodes published about nodes linked to them,
 * or the network's one scheduler, until a time (epoch seconds); what anybody else says does not count.
 */
export async function loadLeases(
  pool: pg.Pool,
  registry: CorechannelAggregate,
  { until, scheduler = null }: { until: number; scheduler?: string | null | undefined },
): Promise<AssignmentLease[]> {
  const owners = claimants(registry, scheduler)
  const ownerOf = new Map(
    registry.resource_nodes.map((node) => [node.hash, node.parent ? owners.get(node.parent) : undefined]),
  )
  const { rows } = await pool.query<{ owner: string; time: number; content: Record<string, unknown> }>(
    `select owner, time, content from aggregate_elements
     where key = $1 and lower(owner) = any($2) and time < $3 order by time, item_hash`,
    [allocationsKey, [...owners.values()].map((owner) => owner.toLowerCase()), until],
  )
  return assignmentLeases(
    rows.map(({ owner, time, content }) => {
      const ownerKey = addressKey('ETH', owner)
      return {
        owner: ownerKey,
        time,
        changes: readChanges(content, (node) => ownerOf.get(node) === ownerKey),
      }
    }),
  )
}

/** What is no allocation to one of the owner's nodes releases the VM, as far as this owner is concerned. */
function readChanges(
  content: Record<string, unknown>,
  isOwn: (node: string) => boolean,
): AllocationChange['changes'] {
  return Object.fromEntries(
    Object.entries(content).map(([vmHash, value]) => {
      const allocation = allocationSchema.safeParse(value)
      return [vmHash, allocation.success && isOwn(allocation.data.node) ? allocation.data : null]
    }),
  )
}
