import { describe, expect, it } from 'vitest'
import { type CidVersion, classifyHash, FileDag, TreeDag, verifyBlock } from '../src/index.ts'
import { readFixture } from './fixtures.ts'
import { type BytesInput, bytesOf } from './vector-bytes.ts'

type FileInput = string | BytesInput

interface BytesVector {
  kind: 'bytes'
  name: string
  input: BytesInput
  size: number
  cid_v0: string
  cid_v1: string
}

interface DirectoryVector {
  kind: 'directory'
  name: string
  files: Record<string, FileInput> | { generate: { count: number; name: string; content: string } }
  cid_version: CidVersion
  cid: string
}

const vectors = readFixture<(BytesVector | DirectoryVector | { kind: 'other' })[]>('hash-vectors')
const bytesVectors = vectors.filter((vector) => vector.kind === 'bytes')
const directoryVectors = vectors.filter((vector) => vector.kind === 'directory')

/** In pieces that do not fit the chunks of a file. */
function addInPieces(bytes: Uint8Array, cidVersion: CidVersion, verify: boolean): [string, number] {
  const dag = new FileDag({
    cidVersion,
    onBlock: verify ? ({ cid, bytes }) => verifyBlock(cid, bytes) : undefined,
  })
  for (let at = 0; at < bytes.length; at += 70_001) dag.update(bytes.subarray(at, at + 70_001))
  const { cid, size } = dag.finish()
  return [cid.toString(), size]
}

describe('CIDs of files', () => {
  it.each(bytesVectors)('of "$name" are those that Kubo gives', ({ input, size, cid_v0, cid_v1 }) => {
    const bytes = bytesOf(input)
    const isSmall = bytes.length < 2 ** 21
    expect(addInPieces(bytes, 0, isSmall)).toEqual([cid_v0, size])
    expect(addInPieces(bytes, 1, isSmall)).toEqual([cid_v1, size])
  })
})

describe('CIDs of directories', () => {
  it.each(directoryVectors)('of "$name", version $cid_version', ({ files, cid_version, cid }) => {
    const tree = new TreeDag({ cidVersion: cid_version })
    for (const [path, bytes] of filesOf(files)) {
      tree.add(path, new FileDag({ cidVersion: cid_version }).update(bytes).finish())
    }
    const built = tree.finish().cid.toString()
    expect(built).toBe(cid)
    expect(classifyHash(built)).toBe('ipfs')
  })
})

function filesOf(files: DirectoryVector['files']): [string, Uint8Array][] {
  const { generate, ...given } = files as { generate?: { count: number; name: string; content: string } }
  if (generate === undefined) {
    return Object.entries(given as Record<string, FileInput>).map(([path, input]) => [
      path,
      bytesOf(typeof input === 'string' ? { utf8: input } : input),
    ])
  }
  const [, digits, , repeats, letter] = /^(\d) decimal digits( then (\d+) times (\w))?/.exec(generate.name)!
  return Array.from({ length: generate.count }, (_, index) => [
    String(index).padStart(Number(digits), '0') + (letter ?? '').repeat(Number(repeats ?? 0)),
    Buffer.from(generate.content),
  ])
}
