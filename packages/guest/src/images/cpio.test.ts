import { expect, it } from 'vitest'
import { encodeCpio } from './cpio.ts'

it('starts every part at a multiple of four bytes and ends with the trailer', () => {
  const archive = encodeCpio([
    { path: 'dev', kind: 'directory' },
    { path: 'dev/console', kind: 'character-device', mode: 0o600, major: 5, minor: 1 },
    { path: 'init', kind: 'file', mode: 0o755, data: Buffer.from('hello') },
  ])
  expect(archive.length % 4).toBe(0)
  const starts = [...archive.toString('latin1').matchAll(/070701/g)].map((match) => match.index)
  expect(starts.every((start) => start % 4 === 0)).toBe(true)
  expect(starts).toHaveLength(4)
  expect(archive.toString('latin1')).toContain('TRAILER!!!')
})

it('is the same for the same entries', () => {
  const entries = [{ path: 'a', kind: 'file' as const, mode: 0o644, data: Buffer.from('x') }]
  expect(encodeCpio(entries).equals(encodeCpio(entries))).toBe(true)
})
