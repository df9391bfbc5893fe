import { concatBytes } from '@noble/hashes/utils.js'
import { describe, expect, it } from 'vitest'
import { CarReader, type CarReaderOptions } from './car-reader.ts'
import { carFramePrefix, carHeader, writeCar } from './car-writer.ts'
import { type Cid, parseCid } from './cid.ts'
import type { Block } from './file-dag.ts'
import { MemoryBlocks, treeOf } from './testing/memory-blocks.ts'
import { verifyDag } from './verify-dag.ts'

const files = { 'a.txt': 'a', 'sub/b.txt': 'b', 'sub/same.txt': 'a', 'big.bin': 'x'.repeat(600_000) }

async function carOf(version: 0 | 1): Promise<{ root: Cid; car: Uint8Array }> {
  const blocks = new MemoryBlocks()
  const { cid: root } = treeOf(files, version, blocks)
  const parts: Uint8Array[] = []
  for await (const part of writeCar(root, blocks.get)) parts.push(part)
  return { root, car: concatBytes(...parts) }
}

function read(car: Uint8Array, pieceBytes: number, options: Partial<CarReaderOptions> = {}) {
  const blocks = new MemoryBlocks()
  const offsets: number[] = []
  const reader = new CarReader({
    onBlock: (block) => {
      blocks.add(block)
      offsets.push(block.offset)
      expect(block.bytes).toEqual(car.subarray(block.offset, block.offset + block.bytes.length))
    },
    ...options,
  })
  for (let at = 0; at < car.length; at += pieceBytes) reader.push(car.subarray(at, at + pieceBytes))
  return { roots: reader.finish(), blocks, count: offsets.length }
}

/** Version 2: the CAR at byte 80, between padding and an index. */
function asVersion2(car: Uint8Array): Uint8Array {
  const pragma = Uint8Array.from([0x0a, 0xa1, 0x67, ...new TextEncoder().encode('version'), 0x02])
  const header = new DataView(new ArrayBuffer(40))
  header.setBigUint64(16, 80n, true)
  header.setBigUint64(24, BigInt(car.length), true)
  header.setBigUint64(32, BigInt(80 + car.length), true)
  const padding = new Uint8Array(80 - pragma.length - 40)
  return concatBytes(pragma, new Uint8Array(header.buffer), padding, car, new Uint8Array(100).fill(7))
}

describe('a CAR', () => {
  it.each([0, 1] as const)('brings a DAG over whole, in pieces of any size (version %i)', async (version) => {
    const { root, car } = await carOf(version)
    for (const container of [car, asVersion2(car)]) {
      for (const pieceBytes of [1, 7, 59, 65_536, container.length]) {
        if (pieceBytes === 1 && version === 1) continue
        const { roots, blocks, count } = read(container, pieceBytes)
        expect(roots.map(String)).toEqual([root.toString()])
        expect((await verifyDag(root, blocks.get)).blocks).toBe(count)
      }
    }
  })

  it('says its roots before its blocks, so that another one can be refused at once', async () => {
    const { car } = await carOf(1)
    const refuse = () => {
      throw new Error('another root')
    }
    const onBlock = () => expect.unreachable()
    expect(() => read(car, 100, { onHeader: refuse, onBlock })).toThrow('another root')
  })

  it('with a changed byte in a block is refused', async () => {
    const { car } = await carOf(1)
    car[car.length - 1]! ^= 1
    expect(() => read(car, 1000)).toThrow(expect.objectContaining({ code: 'wrong_bytes' }))
  })

  it('that ends too early, or is none, is refused', async () => {
    const { car } = await carOf(1)
    const v2 = asVersion2(car)
    const broken = [
      car.subarray(0, -1),
      car.subarray(0, 20),
      v2.subarray(0, -110),
      v2.subarray(0, 60),
      new Uint8Array(),
      new Uint8Array(100),
      new TextEncoder().encode('<html>not found</html>'),
      concatBytes(carHeader([]), Uint8Array.of(0)),
    ]
    for (const bytes of broken) {
      expect(() => read(bytes, 1000)).toThrow(expect.objectContaining({ code: 'invalid_car' }))
    }
  })

  it('asks for no more memory than a block has', () => {
    const huge = concatBytes(carHeader([]), Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0x0f))
    expect(() => read(huge, 10)).toThrow(expect.objectContaining({ code: 'too_large' }))
    const header = Uint8Array.of(0xff, 0xff, 0x7f)
    expect(() => read(header, 10)).toThrow(expect.objectContaining({ code: 'too_large' }))
    const { cid, bytes }: Block = { cid: emptyFolder, bytes: Uint8Array.of(10, 2, 8, 1) }
    const frame = concatBytes(carFramePrefix(cid, bytes.length), bytes)
    const repeated = concatBytes(carHeader([cid]), frame, frame, frame)
    expect(() => read(repeated, 10, { maxBlocks: 2 })).toThrow(expect.objectContaining({ code: 'too_large' }))
    expect(read(repeated, 10, { maxBlocks: 3 }).count).toBe(3)
  })
})

const emptyFolder = parseCid('bafybeiczsscdsbs7ffqz55asqdf3smv6klcw3gofszvwlyarci47bgf354')
