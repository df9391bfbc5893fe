import type pg from 'pg'
import type { Statement } from './recorded-statements.ts'

interface PlanNode {
  'Node Type': string
  'Relation Name'?: string
  'Plan Rows': number
  Plans?: PlanNode[]
}

/** More rows than this are not sorted for one answer. */
const mostSorted = 1000
/** Tables smaller than this, pages, are rightly read as a whole. */
const fewPages = 8
/** One row an address: some orders of the statistics have no index on purpose. */
const readAsAWhole = ['sender_counts']
/** They grow with accounts, and only counts read all of them. */
const ofAccounts = ['balances', 'reported_balances']

/**
 * What a statement should not do, as PostgreSQL plans it: read a table that grows from end to end, or sort without bound.
 * A count or a sum may read a table of which it takes in a good part; no request waits for it when it takes long, or only
 * the first (`Totals`, `SlowCache`).
 */
export async function complaintsAbout(pool: pg.Pool, { text, values }: Statement): Promise<string[]> {
  const { rows } = await pool.query<{ 'QUERY PLAN': { Plan: PlanNode }[] }>(
    `explain (format json) ${text}`,
    values,
  )
  const large = await largeTables(pool)
  const isTotal = /^\s*select (count\(\*\)|coalesce\(-sum|\(trunc\(coalesce\(sum)/.test(text)
  const complaints: string[] = []
  const look = (node: PlanNode): void => {
    const table = node['Relation Name']
    const known = large.get(table ?? '')
    if (node['Node Type'] === 'Seq Scan' && known) {
      const takesInMany = node['Plan Rows'] > known.rows / 20 || ofAccounts.includes(table!)
      if (!isTotal || !takesInMany) complaints.push(`reads all of ${table}`)
    }
    const [input] = node.Plans ?? []
    const isSmall = readAsAWhole.includes(input?.['Relation Name'] ?? '')
    if (node['Node Type'] === 'Sort' && input && input['Plan Rows'] > mostSorted && !isTotal && !isSmall) {
      complaints.push(`sorts ${input['Plan Rows']} rows`)
    }
    for (const child of node.Plans ?? []) look(child)
  }
  look(rows[0]!['QUERY PLAN'][0]!.Plan)
  return complaints
}

async function largeTables(pool: pg.Pool): Promise<Map<string, { rows: number }>> {
  const { rows } = await pool.query<{ name: string; rows: number }>(
    `select relname as name, reltuples as rows from pg_class
     where relkind = 'r' and relpages > $1 and relname <> all($2)`,
    [fewPages, readAsAWhole],
  )
  return new Map(rows.map((row) => [row.name, row]))
}
