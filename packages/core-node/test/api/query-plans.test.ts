import { afterAll, beforeAll, expect, test } from 'vitest'
import { type ClientList, clientLists, clientLookUps, sampleOf } from '../../src/testing/client-queries.ts'
import { enlarge } from '../../src/testing/larger-database.ts'
import { MilledDatabase } from '../../src/testing/milled-database.ts'
import { TestNode } from '../testing/test-node.ts'
import { complaintsAbout } from './plan-complaints.ts'
import { recordStatements, type Statement } from './recorded-statements.ts'

let node: TestNode

beforeAll(async () => {
  node = await TestNode.start()
  const { pool } = node.node.context
  const milled = await MilledDatabase.create(pool, { senders: 300 })
  await milled.fill(5_000)
  await enlarge(pool, 8)
})

afterAll(async () => node?.[Symbol.asyncDispose]())

/** Asks for a list by page, and by cursor from its beginning and from its second page. */
async function ask({ path, query, cursor }: ClientList): Promise<void> {
  await expectAnswer(`${path}?${query}`)
  if (!cursor) return
  const first = await expectAnswer(`${path}?${query}&pagination=20&cursor=`)
  if (first.next_cursor) await expectAnswer(`${path}?${query}&pagination=20&cursor=${first.next_cursor}`)
}

/** The node does other things meanwhile, too. */
function isRead({ text }: Statement): boolean {
  return /^\s*(select|with)/i.test(text) && !/\bdelete\b/i.test(text)
}

async function expectAnswer(path: string): Promise<{ next_cursor?: string }> {
  const { status, body } = await node.get(path)
  expect([200, 404], `${path} says ${JSON.stringify(body)}`).toContain(status)
  return body
}

test('no request of a client makes PostgreSQL read a growing table from end to end or sort without bound', async () => {
  const { pool } = node.node.context
  const sample = await sampleOf(pool)
  const complaints: string[] = []
  let looked = 0
  const check = async (what: string, work: () => Promise<unknown>) => {
    const statements = await recordStatements(async () => void (await work()))
    for (const statement of statements.filter(isRead)) {
      looked += 1
      const found = await complaintsAbout(pool, statement)
      complaints.push(...found.map((complaint) => `${what}: ${complaint}: ${statement.text}`))
    }
  }
  for (const list of clientLists(sample)) await check(`${list.path}?${list.query}`, () => ask(list))
  for (const path of clientLookUps(sample)) await check(path, () => expectAnswer(path))
  expect([...new Set(complaints)]).toEqual([])
  expect(looked).toBeGreaterThan(300)
}, 60_000)
