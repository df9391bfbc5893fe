import type { Queryable } from '../chains/queryable.ts'

declare module '../database/schema.ts' {
  interface Database {
    registry_changes: { height: bigint }
  }
}

/**
 * Takes what the database noted since the last call: the lowest block at which something changed that the registry is
 * made of; null when nothing did.
 */
export async function takeRegistryChanges(db: Queryable): Promise<number | null> {
  const { rows } = await db.query<{ height: bigint | null }>(
    'with gone as (delete from registry_changes returning height) select min(height) as height from gone',
  )
  const height = rows[0]?.height ?? null
  return height === null ? null : Number(height)
}
