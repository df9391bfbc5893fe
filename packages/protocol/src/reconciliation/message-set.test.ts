import fc from 'fast-check'
import { expect, it } from 'vitest'
import { sha256Hex } from '../hash/sha256.ts'
import { fingerprint } from './fingerprint.ts'
import { MessageSet } from './message-set.ts'

const salt = new Uint8Array(16)
const hash = (index: number) => sha256Hex(`message ${index}`)

it('keeps messages by time, then by hash, however they come and go', () => {
  const change = fc.tuple(fc.boolean(), fc.integer({ min: 0, max: 8 }), fc.integer({ min: 0, max: 2000 }))
  fc.assert(
    fc.property(fc.array(change, { maxLength: 3000, size: 'max' }), (changes) => {
      const set = new MessageSet()
      const model = new Map<string, [number, string]>()
      for (const [adds, time, index] of changes) {
        const key = `${time} ${hash(index)}`
        expect(adds ? set.add(time, hash(index)) : set.delete(time, hash(index))).toBe(
          adds !== model.has(key),
        )
        if (adds) model.set(key, [time, hash(index)])
        else model.delete(key)
      }
      const sorted = [...model.values()].sort(([t, h], [u, i]) => t - u || (h < i ? -1 : 1))
      expect(set.size).toBe(sorted.length)
      const held = sorted.map((_, rank) => set.at(rank))
      expect(held.map(({ time, digest }) => [time, set.nameOf(digest)])).toEqual(sorted)
      for (let time = 0; time <= 9; time++) {
        expect(set.rank({ time, prefix: new Uint8Array() })).toBe(sorted.filter(([t]) => t < time).length)
      }
    }),
    { numRuns: 10 },
  )
})

it('has the same fingerprint for the same messages, whatever happened before', () => {
  const [left, right] = [new MessageSet(), new MessageSet()]
  for (let index = 0; index < 3000; index++) left.add(index % 7, hash(index))
  for (let index = 3999; index >= 0; index--) right.add(index % 7, hash(index))
  for (let index = 3000; index < 4000; index++) right.delete(index % 7, hash(index))
  for (const [from, to] of [
    [0, 3000],
    [17, 2900],
    [512, 513],
    [5, 5],
  ] as const) {
    expect(fingerprint(left, salt, from, to)).toEqual(fingerprint(right, salt, from, to))
  }
  expect(fingerprint(left, salt, 0, 3000)).not.toEqual(fingerprint(left, salt, 0, 2999))
})
