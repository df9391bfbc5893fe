import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { sha256Hex } from '../hash/sha256.ts'
import { answerReconciliation } from './answer-request.ts'
import { maxReconciliationFrameBytes } from './frames.ts'
import { MessageSet } from './message-set.ts'
import { Reconciler } from './reconciler.ts'
import { ReconciliationError } from './reconciliation-error.ts'

type Message = readonly [time: number, hash: string]

const salt = new Uint8Array(16).fill(7)
const cid = 'QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG'

function message(index: number, time = index * 1000): Message {
  return [time, sha256Hex(`message ${index}`)]
}

function setOf(messages: Iterable<Message>): MessageSet {
  const set = new MessageSet()
  for (const [time, hash] of messages) set.add(time, hash)
  return set
}

function hashes(messages: Iterable<Message>): string[] {
  return [...messages].map(([, hash]) => hash).sort()
}

function reconcile(ours: MessageSet, theirs: MessageSet) {
  const reconciler = new Reconciler(ours, salt)
  const found = { missing: [] as string[], surplus: [] as string[], rounds: 0, largestFrame: 0 }
  for (let request = reconciler.request(); request; request = reconciler.request()) {
    const frame = answerReconciliation(theirs, request)
    const { missing, surplus } = reconciler.take(frame)
    found.missing.push(...missing)
    found.surplus.push(...surplus)
    found.rounds += 1
    found.largestFrame = Math.max(found.largestFrame, frame.length, request.length)
  }
  found.missing.sort()
  found.surplus.sort()
  return found
}

/** Few times, so that many messages share one. */
const messages = fc.uniqueArray(fc.tuple(fc.integer({ min: 0, max: 5 }), fc.integer({ min: 0, max: 400 })), {
  maxLength: 300,
  selector: ([, index]) => index,
})
const toMessages = (list: [number, number][]) => list.map(([time, index]) => message(index, time))

describe('two sets of messages', () => {
  it('tell each other exactly what one lacks, whatever they hold', () => {
    fc.assert(
      fc.property(messages, fc.infiniteStream(fc.integer({ min: 0, max: 3 })), (list, places) => {
        const all = toMessages(list)
        const side = new Map(all.map((one) => [one, places.next().value]))
        const ours = all.filter((one) => side.get(one) !== 1)
        const theirs = all.filter((one) => side.get(one) !== 2)
        const found = reconcile(setOf(ours), setOf(theirs))
        expect(found.missing).toEqual(hashes(all.filter((one) => side.get(one) === 1)))
        const surplus = hashes(all.filter((one) => side.get(one) === 2))
        // Where the asker has nothing it only lists; surplus is told wherever sets are compared.
        expect(surplus).toEqual(found.surplus)
      }),
    )
  })

  it('that are equal are found so in one round, of a few bytes', () => {
    const all = Array.from({ length: 5000 }, (_, index) => message(index))
    const found = reconcile(setOf(all), setOf(all.toReversed()))
    expect(found).toMatchObject({ missing: [], surplus: [], rounds: 1 })
    expect(found.largestFrame).toBeLessThan(300)
  })

  it('agree in few rounds and bytes when one is new', () => {
    const all = Array.from({ length: 20_000 }, (_, index) => message(index))
    const found = reconcile(setOf([]), setOf(all))
    expect(found.missing).toEqual(hashes(all))
    expect(found.rounds).toBe(20)
    expect(found.largestFrame).toBeLessThan(maxReconciliationFrameBytes)
  })

  it('may have thousands of messages of the same instant', () => {
    const all = Array.from({ length: 5000 }, (_, index) => message(index, 42))
    const found = reconcile(setOf(all.slice(0, 4990)), setOf(all.slice(10)))
    expect(found.missing).toEqual(hashes(all.slice(4990)))
    expect(found.surplus).toEqual(hashes(all.slice(0, 10)))
  })

  it('may name messages by CID', () => {
    const found = reconcile(setOf([message(1)]), setOf([message(1), [5, cid]]))
    expect(found.missing).toEqual([cid])
  })

  it('may change while they are compared, and agree the next time', () => {
    const all = Array.from({ length: 3000 }, (_, index) => message(index))
    const [ours, theirs] = [setOf(all.slice(0, 2000)), setOf(all.slice(1000))]
    const reconciler = new Reconciler(ours, salt)
    let next = 3000
    for (let request = reconciler.request(); request; request = reconciler.request()) {
      theirs.add(...message(next++))
      const { missing } = reconciler.take(answerReconciliation(theirs, request))
      for (const [time, hash] of all) if (missing.includes(hash)) ours.add(time, hash)
      ours.delete(...message(next % 100))
    }
    for (const [time, hash] of all.slice(0, 1000)) theirs.add(time, hash)
    const lacking = reconcile(ours, theirs)
    expect(lacking.surplus).toEqual([])
    expect(ours.size + lacking.missing.length).toBe(theirs.size)
  })
})

describe('a peer that does not keep to the protocol', () => {
  it('gets an error for a request that is none', () => {
    const set = setOf([message(1)])
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        try {
          answerReconciliation(set, bytes)
        } catch (error) {
          expect(error).toBeInstanceOf(ReconciliationError)
        }
      }),
    )
  })

  it('ends the session with answers that are none', () => {
    const set = setOf(Array.from({ length: 100 }, (_, index) => message(index)))
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        const reconciler = new Reconciler(set, salt)
        reconciler.request()
        try {
          reconciler.take(bytes)
        } catch (error) {
          expect(error).toBeInstanceOf(ReconciliationError)
        }
      }),
    )
  })

  it('cannot divide a range for ever', () => {
    const ours = setOf(Array.from({ length: 1000 }, (_, index) => message(index)))
    const reconciler = new Reconciler(ours, salt)
    const frame = (bound: number) =>
      // Two parts, cut one microsecond further each time, both said to differ.
      Uint8Array.from([0, 2, ...new Uint8Array(8), bound, 0, ...new Uint8Array(8)])
    expect(() => {
      for (let cut = 100; cut > 2; cut--) {
        reconciler.request()
        reconciler.take(frame(cut))
      }
    }).toThrow(ReconciliationError)
  })
})
