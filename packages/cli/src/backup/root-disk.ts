import { openAsBlob } from 'node:fs'
import { exitCodes } from '../exit-codes.ts'
import { CliError } from '../failure.ts'

const BLOCK = 512
const ROOT_DISK = 'rootfs.qcow2'
const QCOW2_MAGIC = 0x514649fb

/** The root disk in a file: the file itself when it is a qcow2 image, else what a backup holds. Nothing is unpacked. */
export async function openRootDisk(path: string): Promise<Blob> {
  const file = await open(path)
  const magic = new DataView(await file.slice(0, 4).arrayBuffer())
  if (magic.byteLength === 4 && magic.getUint32(0) === QCOW2_MAGIC) return file
  for (let offset = 0; offset + BLOCK <= file.size; ) {
    const header = Buffer.from(await file.slice(offset, offset + BLOCK).arrayBuffer())
    if (header[0] === 0) break
    const size = entrySize(header)
    if (header.toString('latin1', 257, 262) !== 'ustar' || !Number.isSafeInteger(size)) break
    const start = offset + BLOCK
    if (entryName(header) === ROOT_DISK) return file.slice(start, start + size)
    offset = start + Math.ceil(size / BLOCK) * BLOCK
  }
  throw unusable(path, 'it is neither a qcow2 image nor a backup with a root disk')
}

async function open(path: string): Promise<Blob> {
  try {
    return await openAsBlob(path)
  } catch {
    throw unusable(path, 'it cannot be read')
  }
}

function entryName(header: Buffer): string {
  const end = header.indexOf(0)
  return header.toString('utf8', 0, end >= 0 && end < 100 ? end : 100).replace(/^\.\//, '')
}

/** Octal digits, or from 8 GiB on a number with its first bit set (GNU tar). */
function entrySize(header: Buffer): number {
  if (header[124]! & 0x80) return Number(header.readBigUInt64BE(128))
  return Number.parseInt(header.toString('latin1', 124, 136), 8)
}

function unusable(path: string, why: string): CliError {
  return new CliError('no_root_disk', `Cannot restore from ${path}: ${why}`, { exitCode: exitCodes.usage })
}
