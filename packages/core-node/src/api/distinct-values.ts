import type pg from 'pg'

/** More values than this are not told. */
const mostValues = 10_000

/**
 * The distinct texts of a column, ascending: one step through an index for each value instead of a scan of all rows.
 *
 * @param next finds the first `value` beyond the last parameter; it has to keep to the order of an index
 */
export async function distinctValues(pool: pg.Pool, next: string, values: string[] = []): Promise<string[]> {
  // The first step starts before every text; the later ones take their place from the row before.
  const first = next.replaceAll(`$${values.length + 1}`, `''`)
  const later = next.replaceAll(`$${values.length + 1}`, 'walk.value')
  const { rows } = await pool.query<{ value: string }>(
    `with recursive walk as (
       (${first})
       union all
       select further.value from walk cross join lateral (${later}) further
     )
     select value from walk limit ${mostValues}`,
    values,
  )
  return rows.map((row) => row.value)
}
