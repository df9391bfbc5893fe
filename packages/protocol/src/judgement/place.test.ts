import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { effectiveTime } from './effective-time.ts'
import { endOfOrder, liftedPlace, ownPlace, timeOfPlace } from './place.ts'

const profile = { clocks: { backdatingSeconds: 86_400, unconfirmedNotBefore: 1_773_187_200 } }
const day = 86_400
const now = 1_780_000_000

describe('the time a message counts from', () => {
  it('is what its sender wrote, while no chain says otherwise', () => {
    expect(effectiveTime({ contentTime: now, firstConfirmedAt: null }, profile)).toBe(now)
  })

  it('does not reach old privileges by an unsigned old date', () => {
    expect(effectiveTime({ contentTime: 1_600_000_000, firstConfirmedAt: null }, profile)).toBe(1_773_187_200)
  })

  it('is bounded by the first confirmation on both sides', () => {
    const at = (contentTime: number) => effectiveTime({ contentTime, firstConfirmedAt: now }, profile)
    expect(at(now - 60)).toBe(now - 60)
    expect(at(now + 60)).toBe(now)
    expect(at(now - 30 * day)).toBe(now - day)
  })

  it('lets history that a chain confirmed keep its old time', () => {
    expect(effectiveTime({ contentTime: 1_600_000_000, firstConfirmedAt: 1_600_000_500 }, profile)).toBe(
      1_600_000_000,
    )
  })
})

describe('the order of messages', () => {
  const place = (contentTime: number, itemHash: string) =>
    ownPlace(
      { contentTime, firstConfirmedAt: null, itemHash },
      { clocks: { ...profile.clocks, unconfirmedNotBefore: null } },
    )

  it('is by time, then by hash', () => {
    const time = fc.double({ min: 0, max: 9_223_372_036, noNaN: true })
    fc.assert(
      fc.property(time, time, (a, b) => {
        const [x, y] = [Math.round(a * 1e6), Math.round(b * 1e6)]
        expect(place(a, 'h') < place(b, 'h')).toBe(x < y)
      }),
    )
    expect(place(1, 'a') < place(1, 'b')).toBe(true)
    expect(place(9_223_372_036, 'f'.repeat(64)) < endOfOrder).toBe(true)
  })

  it('puts a message after what it names, and before whatever came next', () => {
    const [early, late, next] = [place(1, 'dd'), place(5, 'bb'), place(5, 'bc')]
    const lifted = liftedPlace(early, 'dd', [late, place(0, 'aa')])
    expect(lifted > late).toBe(true)
    expect(lifted < next).toBe(true)
    expect(timeOfPlace(lifted)).toBe(5)
    expect(liftedPlace(late, 'bb', [early])).toBe(late)
  })
})
