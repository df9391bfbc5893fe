import type pg from 'pg'
import type { ChainProgress } from '../chains/chain-reader.ts'

/** What the processing node tells the API processes about itself. */
export interface NodeCard {
  /** Where others reach it. */
  multiaddrs: string[]
  /** How far it has read the chain of balances; null when it reads none. */
  chain: ChainProgress | null
}

const key = 'processing_node'

export async function saveNodeCard(pool: pg.Pool, card: NodeCard): Promise<void> {
  await pool.query(
    `insert into node_info (key, value) values ($1, $2)
     on conflict (key) do update set value = excluded.value where node_info.value <> excluded.value`,
    [key, JSON.stringify(card)],
  )
}

/** Undefined while no processing node has ever run beside others. */
export async function loadNodeCard(pool: pg.Pool): Promise<NodeCard | undefined> {
  const { rows } = await pool.query<{ value: string }>('select value from node_info where key = $1', [key])
  return rows[0] && JSON.parse(rows[0].value)
}
