import { describe, expect, test } from 'vitest'
import { readRange } from './file-range.ts'

describe('a byte range', () => {
  test.each([
    [undefined, undefined],
    ['bytes=0-4', { start: 0, end: 4 }],
    ['bytes=5-', { start: 5, end: 9 }],
    ['bytes=-3', { start: 7, end: 9 }],
    ['bytes=-30', { start: 0, end: 9 }],
    ['bytes=8-100', { start: 8, end: 9 }],
    ['bytes=10-', 'unsatisfiable'],
    ['bytes=-0', 'unsatisfiable'],
  ])('%s of ten bytes', (header, range) => {
    expect(readRange(header, 10)).toEqual(range)
  })

  test.each(['bytes=-', 'bytes=4-2', 'bytes=0-1,3-4', 'lines=0-4', 'bytes=a-b'])(
    '%s is answered with the whole file',
    (header) => {
      expect(readRange(header, 10)).toBeUndefined()
    },
  )

  test('an empty file has none', () => {
    expect(readRange('bytes=0-', 0)).toBe('unsatisfiable')
  })
})
