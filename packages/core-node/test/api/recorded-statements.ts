import pg from 'pg'
import { vi } from 'vitest'

/** A statement as it went to PostgreSQL. */
export interface Statement {
  text: string
  values: unknown[]
}

/** Notes every statement that this process sends to PostgreSQL while `work` runs. */
export async function recordStatements(work: () => Promise<void>): Promise<Statement[]> {
  const statements: Statement[] = []
  const original = pg.Client.prototype.query
  const spy = vi.spyOn(pg.Client.prototype, 'query').mockImplementation(function (
    this: pg.Client,
    ...given: unknown[]
  ) {
    const [query, values] = given as [string | { text: string; values?: unknown[] }, unknown[] | undefined]
    if (typeof query === 'string')
      statements.push({ text: query, values: Array.isArray(values) ? values : [] })
    else statements.push({ text: query.text, values: query.values ?? (Array.isArray(values) ? values : []) })
    return (original as (...parameters: unknown[]) => unknown).apply(this, given) as never
  } as never)
  try {
    await work()
  } finally {
    spy.mockRestore()
  }
  return statements
}
