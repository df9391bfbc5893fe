import { afterAll, beforeAll, expect, test } from 'vitest'
import { DatabaseServer } from '../testing/database-server.ts'
import { countPatiently } from './patient-count.ts'

let server: DatabaseServer
let pool: Awaited<ReturnType<DatabaseServer['create']>>

beforeAll(async () => {
  server = await DatabaseServer.start()
  pool = await server.create('counting')
  await pool.query('create table numbers as select n from generate_series(1, 3000) n')
})
afterAll(async () => server?.[Symbol.asyncDispose]())

test.each([
  ['many', 'from numbers where n <= $1', [2500], 2500],
  ['exactly a slice', 'from numbers where n <= $1', [1000], 1000],
  ['none', 'from numbers where n > $1', [3000], 0],
])('rows are counted exactly: %s', async (_, text, values, expected) => {
  expect(await countPatiently(pool, { text, values }, new AbortController().signal)).toBe(expected)
})

test('a count that is not wanted any more ends, and leaves nothing behind', async () => {
  const source = { text: 'from numbers a, numbers b', values: [] }
  const stopping = new AbortController()
  const counting = countPatiently(pool, source, stopping.signal)
  stopping.abort()
  await expect(counting).rejects.toThrow('aborted')
  await expect(countPatiently(pool, source, stopping.signal)).rejects.toThrow('aborted')
  expect(pool.totalCount - pool.idleCount).toBe(0)
})
