import { open, stat } from 'node:fs/promises'
import { AgentError } from '../errors.ts'

const QCOW2_MAGIC = 0x514649fb
const EXTERNAL_DATA = 1n << 2n
const HEADER_BYTES = 104

/** How the content of a disk is kept in a file. */
export type DiskFormat = 'raw' | 'qcow2'

/** Whether a file begins as qcow2 images do. */
export async function isQcow2(path: string): Promise<boolean> {
  return (await readHeader(path)).readUInt32BE(0) === QCOW2_MAGIC
}

/** Size of a disk as a guest sees it. */
export async function diskBytes(path: string, format: DiskFormat): Promise<number> {
  if (format === 'raw') return (await stat(path)).size
  return Number((await readHeader(path)).readBigUInt64BE(24))
}

/** Whether there is a qcow2 image that reads no other file. */
export async function standsAlone(path: string): Promise<boolean> {
  const header = await readHeader(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null
    throw error
  })
  return header !== null && header.readBigUInt64BE(8) === 0n
}

/** Refuses a qcow2 image that reads other files, or that nobody here has the key for. */
export async function assertSelfContained(path: string): Promise<void> {
  const header = await readHeader(path)
  const version = header.readUInt32BE(4)
  const problem =
    version !== 2 && version !== 3
      ? `is of an unknown version ${version}`
      : header.readBigUInt64BE(8) !== 0n
        ? 'names a backing file'
        : header.readUInt32BE(32) !== 0
          ? 'is encrypted'
          : version === 3 && (header.readBigUInt64BE(72) & EXTERNAL_DATA) !== 0n
            ? 'keeps its data in another file'
            : null
  if (problem) throw new AgentError('broken_archive', `The disk image ${problem}; publish it flattened`)
}

async function readHeader(path: string): Promise<Buffer> {
  const file = await open(path, 'r')
  try {
    const header = Buffer.alloc(HEADER_BYTES)
    await file.read(header, 0, HEADER_BYTES, 0)
    return header
  } finally {
    await file.close()
  }
}
