import { describe, expect, it } from 'vitest'
import * as native from '../src/hash/sha256.native.ts'
import * as portable from '../src/hash/sha256.portable.ts'
import { classifyHash, createSha256, itemHash, sha256Bytes, sha256Hex } from '../src/index.ts'
import { readFixture } from './fixtures.ts'
import { type BytesInput, bytesOf } from './vector-bytes.ts'

type HashVector =
  | { kind: 'bytes'; name: string; input: BytesInput; size: number; sha256: string }
  | { kind: 'classify'; hash: string; item_type: string | null }
  | { kind: 'item_content'; name: string; utf8: string; sha256: string }
  | { kind: 'directory' }

const vectors = readFixture<HashVector[]>('hash-vectors')
const bytesVectors = vectors.filter((vector) => vector.kind === 'bytes')
const classifyVectors = vectors.filter((vector) => vector.kind === 'classify')
const contentVectors = vectors.filter((vector) => vector.kind === 'item_content')

describe('sha256', () => {
  it.each(bytesVectors)(
    'of "$name" is the published one, at once and in pieces',
    ({ input, size, sha256 }) => {
      const bytes = bytesOf(input)
      expect(bytes.length).toBe(size)
      expect(sha256Hex(bytes)).toBe(sha256)
      expect(Buffer.from(sha256Bytes(bytes)).toString('hex')).toBe(sha256)
      const running = createSha256()
      for (let at = 0; at < bytes.length; at += 65_536) running.update(bytes.subarray(at, at + 65_536))
      expect(running.hex()).toBe(sha256)
    },
  )

  it('a running hash can be read and then go on', () => {
    for (const { createSha256 } of [native, portable]) {
      const running = createSha256().update(Buffer.from('he'))
      expect(running.hex()).toBe(sha256Hex('he'))
      expect(running.update(Buffer.from('llo')).hex()).toBe(sha256Hex('hello'))
    }
  })

  it('is the same with and without native code', () => {
    for (const text of ['', 'hello', 'ünïcödé 🜁', 'x'.repeat(100_000)]) {
      expect(portable.sha256Hex(text)).toBe(native.sha256Hex(text))
      expect(portable.sha256Hex(Buffer.from(text))).toBe(native.sha256Hex(Buffer.from(text)))
    }
  })
})

describe('item hashes', () => {
  it.each(classifyVectors)('"$hash" is of type $item_type', ({ hash, item_type }) => {
    expect(classifyHash(hash)).toBe(item_type)
  })

  it.each(contentVectors)('of $name is over the text as it is', ({ utf8, sha256 }) => {
    expect(itemHash(utf8)).toBe(sha256)
  })
})
