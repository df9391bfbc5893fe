import { setTimeout as sleep } from 'node:timers/promises'
import { pino } from 'pino'
import { expect, test } from 'vitest'
import { SparePool } from './spare-pool.ts'

interface Spare {
  name: string
  ended: boolean
  usable: boolean
}

/** A pool of things that are only counted. */
function openPool(limit: number) {
  const made: Spare[] = []
  const pool = new SparePool<Spare>(limit, pino({ level: 'silent' }), 10)
  const take = (kind: string) =>
    pool.take(kind, {
      async make() {
        const spare = { name: `${kind}${made.length}`, ended: false, usable: true }
        made.push(spare)
        return spare
      },
      isUsable: ({ usable }) => usable,
      async end(spare) {
        spare.ended = true
      },
    })
  return { pool, made, take }
}

test('the first start of a kind finds none, the next one finds one that was made meanwhile', async () => {
  const { pool, take } = openPool(2)
  expect(await take('a')).toBeNull()
  await sleep(50)
  expect(await take('a')).toMatchObject({ name: 'a0', ended: false })
  expect(await take('a')).toBeNull()
  await pool.close()
})

test('kinds that were not asked for longest give way', async () => {
  const { pool, made, take } = openPool(2)
  for (const kind of ['a', 'b']) await take(kind)
  await sleep(50)
  await take('c')
  await sleep(50)
  expect(made.map(({ name, ended }) => [name, ended])).toEqual([
    ['a0', true],
    ['b1', false],
    ['c2', false],
  ])
  await pool.close()
})

test('one that died while it waited is disposed of, not handed out', async () => {
  const { pool, made, take } = openPool(1)
  await take('a')
  await sleep(50)
  made[0]!.usable = false
  expect(await take('a')).toBeNull()
  expect(made[0]!.ended).toBe(true)
  await pool.close()
})

test('a closed pool has ended all and makes no more', async () => {
  const { pool, made, take } = openPool(2)
  await take('a')
  await sleep(50)
  await pool.close()
  expect(made.map(({ ended }) => ended)).toEqual([true])
  expect(await take('a')).toBeNull()
  await sleep(50)
  expect(made).toHaveLength(1)
})
