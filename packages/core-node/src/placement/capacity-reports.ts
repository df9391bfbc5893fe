import {
  type CapacityReport,
  type CorechannelAggregate,
  capacityReportPostType,
  capacityReportSchema,
  toChecksumAddress,
} from '@aleph-ts/protocol'
import type pg from 'pg'

/**
 * The newest capacity report of every compute node that has one, by node hash. A report is believed from the node's
 * owner, from the owner of the core node it is linked to, and from the network's one scheduler, if it has one
 * (protocol 06 §8.1).
 */
export async function loadCapacityReports(
  pool: pg.Pool,
  { nodes, resource_nodes }: CorechannelAggregate,
  scheduler: string | null = null,
): Promise<Map<string, CapacityReport>> {
  const ownerOf = new Map(nodes.map((node) => [node.hash, node.owner]))
  const { rows } = await pool.query<{ hash: string; content: unknown }>(
    `select t.hash, newest.content
     from unnest($1::text[], $2::text[], $3::text[]) as t(hash, owner, parent_owner)
     cross join lateral (
       select coalesce(m.content, m.item_content)::json -> 'content' as content
       from posts p join messages m on m.item_hash = p.item_hash
       where p.ref = t.hash and p.type = $4 and p.owner in (t.owner, t.parent_owner, $5)
       order by p.created desc, p.item_hash desc limit 1
     ) newest`,
    [
      resource_nodes.map((node) => node.hash),
      resource_nodes.map((node) => spelled(node.owner)),
      resource_nodes.map((node) => spelled(ownerOf.get(node.parent ?? '') ?? node.owner)),
      capacityReportPostType,
      scheduler && spelled(scheduler),
    ],
  )
  const reports = new Map<string, CapacityReport>()
  for (const { hash, content } of rows) {
    const report = capacityReportSchema.safeParse(content)
    if (report.success && report.data.node_hash === hash) reports.set(hash, report.data)
  }
  return reports
}

/** Posts keep EVM addresses in one spelling, registries in any. */
function spelled(address: string): string {
  return /^0x[0-9a-fA-F]{40}$/.test(address) ? toChecksumAddress(address) : address
}
