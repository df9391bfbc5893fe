import fc from 'fast-check'
import { expect, test } from 'vitest'
import { mayPack } from './packing-turn.ts'

const emitters = ['0xa', '0xb', '0xc']
const turns = { authorizedEmitters: emitters, turnBlocks: 50 }

test('at no block may two emitters pack, and between two turns nobody does', () => {
  fc.assert(
    fc.property(fc.nat(1_000_000_000), (block) => {
      const packers = emitters.filter((emitter) => mayPack(block, emitter, turns))
      expect(packers).toEqual(block % 50 < 40 ? [emitters[Math.floor(block / 50) % 3]] : [])
    }),
  )
})

test('who is alone, or where there are no turns, packs at any time', () => {
  for (const block of [0, 49, 50, 99]) {
    expect(mayPack(block, '0xa', { authorizedEmitters: ['0xa'], turnBlocks: 50 })).toBe(true)
    for (const emitter of emitters)
      expect(mayPack(block, emitter, { authorizedEmitters: emitters })).toBe(true)
  }
})
