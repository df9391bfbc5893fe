import { zstdDecompressSync } from 'node:zlib'
import { GuestError } from '../guest-error.ts'

const elfMagic = 0x464c457f
const zstdMagic = 0xfd2fb528
const lz4LegacyMagic = 0x184c2102

/**
 * Decodes one LZ4 block into `output` at `offset`. Returns the offset after it.
 * A block is a chain of literals followed by a copy from what was written before.
 */
function decodeLz4Block(block: Buffer, output: Buffer, offset: number): number {
  let at = 0
  let end = offset
  const readLength = (start: number): number => {
    let length = start
    if (start !== 15) return length
    let byte: number
    do {
      byte = block.readUInt8(at++)
      length += byte
    } while (byte === 255)
    return length
  }
  while (at < block.length) {
    const token = block.readUInt8(at++)
    const literals = readLength(token >> 4)
    end += block.copy(output, end, at, at + literals)
    at += literals
    if (at >= block.length) break
    const distance = block.readUInt16LE(at)
    at += 2
    const length = readLength(token & 15) + 4
    // The copy may overlap what it writes (a run), so it goes byte by byte when it does.
    if (distance >= length) output.copy(output, end, end - distance, end - distance + length)
    else for (let i = 0; i < length; i++) output[end + i] = output[end - distance + i] ?? 0
    end += length
  }
  return end
}

function decodeLz4Legacy(payload: Buffer, size: number): Buffer {
  const output = Buffer.alloc(size)
  let at = 4
  let end = 0
  while (at + 4 <= payload.length && end < size) {
    const length = payload.readUInt32LE(at)
    if (length === lz4LegacyMagic) {
      at += 4
      continue
    }
    end = decodeLz4Block(payload.subarray(at + 4, at + 4 + length), output, end)
    at += 4 + length
  }
  return output
}

/**
 * Takes the plain ELF kernel out of a bzImage. Booting that one saves the guest the work of unpacking itself,
 * the largest part of a cold start without hardware virtualisation.
 */
export function extractVmlinux(bzImage: Buffer): Buffer {
  const refuse = (why: string): never => {
    throw new GuestError('image_build_failed', `The kernel image cannot be unpacked: ${why}`)
  }
  if (bzImage.toString('latin1', 0x202, 0x206) !== 'HdrS') refuse('not a bzImage')
  // Linux boot protocol: setup_sects at 0x1f1, payload_offset and payload_length at 0x248 and 0x24c.
  const protectedMode = (bzImage.readUInt8(0x1f1) + 1) * 512
  const start = protectedMode + bzImage.readUInt32LE(0x248)
  const payload = bzImage.subarray(start, start + bzImage.readUInt32LE(0x24c))
  const size = payload.readUInt32LE(payload.length - 4)
  const magic = payload.readUInt32LE(0)
  const kernel =
    magic === lz4LegacyMagic
      ? decodeLz4Legacy(payload.subarray(0, -4), size)
      : magic === zstdMagic
        ? zstdDecompressSync(payload.subarray(0, -4))
        : refuse(`unknown compression 0x${magic.toString(16)}`)
  if (kernel.readUInt32LE(0) !== elfMagic) refuse('no ELF inside')
  return kernel
}
