import { sha256Hex } from '@aleph-ts/protocol'
import { expect, test } from 'vitest'
import { hashLists, readStateNotice, stateNotices } from './notices.ts'

/** PostgreSQL takes less than this at once. */
const postgresLimit = 8000

test('many hashes are told in parts that PostgreSQL takes, none is lost', () => {
  const hashes = Array.from({ length: 1000 }, (_, index) => sha256Hex(String(index)))
  const payloads = hashLists(hashes)
  expect(Math.max(...payloads.map((text) => Buffer.byteLength(text)))).toBeLessThan(postgresLimit)
  expect(payloads.flatMap((text) => JSON.parse(text))).toEqual(hashes)
  expect(hashLists([])).toEqual([])
})

test('what fits into no payload is left out, and what stands beside it is told', () => {
  const forgotten = (owner: string) => ({ item_hash: sha256Hex(owner), type: 'POST' as const, owner })
  const payloads = stateNotices('forgotten', [forgotten('é'.repeat(5000)), forgotten('0xabc')])
  expect(payloads.map(readStateNotice)).toEqual([{ event: 'forgotten', items: [forgotten('0xabc')] }])
})

test('details of refusals stay in the database', () => {
  const [payload] = stateNotices('rejected', [{ item_hash: 'a', errorCode: 2, details: { errors: ['no'] } }])
  expect(readStateNotice(payload!)).toEqual({ event: 'rejected', items: [{ item_hash: 'a', errorCode: 2 }] })
})
