import { execFile } from 'node:child_process'
import { open, stat } from 'node:fs/promises'
import { promisify } from 'node:util'
import { AgentError } from '../errors.ts'

const run = promisify(execFile)
const TOOL_TIMEOUT_MS = 120_000
const MAX_MANIFEST_BYTES = 64 * 1024
const SUPERBLOCK_BYTES = 96

/**
 * Whether the file is a whole squashfs 4.0 image: magic, version, and no shorter than its superblock says.
 * Reads 96 bytes, so it is cheap enough for every start.
 */
export async function isSquashfs(path: string): Promise<boolean> {
  const file = await open(path, 'r')
  try {
    const superblock = Buffer.alloc(SUPERBLOCK_BYTES)
    const { bytesRead } = await file.read(superblock, 0, SUPERBLOCK_BYTES, 0)
    if (bytesRead < SUPERBLOCK_BYTES) return false
    const magic = superblock.toString('latin1', 0, 4)
    const major = superblock.readUInt16LE(28)
    const bytesUsed = superblock.readBigUInt64LE(40)
    return magic === 'hsqs' && major === 4 && bytesUsed <= BigInt((await stat(path)).size)
  } finally {
    await file.close()
  }
}

/** Content of one small file inside a squashfs image, or null when it has none of that name. */
export async function readSquashfsFile(image: string, path: string): Promise<string | null> {
  try {
    const { stdout } = await run('unsquashfs', ['-no-progress', '-cat', image, path], {
      timeout: TOOL_TIMEOUT_MS,
      maxBuffer: MAX_MANIFEST_BYTES,
    })
    return stdout === '' ? null : stdout
  } catch (error) {
    throwIfMissingTool(error, 'unsquashfs')
    return null
  }
}

/**
 * Packs a folder into a squashfs image; equal folders give equal bytes. LZ4, because the guest unpacks it
 * at every start and code is small.
 */
export async function buildSquashfs(folder: string, image: string, owner: 'root' | 'program'): Promise<void> {
  const options = ['-noappend', ...ownedBy(owner), '-no-xattrs', '-no-progress', '-quiet', '-processors', '1']
  const reproducible = ['-mkfs-time', '0', '-all-time', '0']
  try {
    await run('mksquashfs', [folder, image, ...options, ...reproducible, '-comp', 'lz4'], {
      timeout: TOOL_TIMEOUT_MS,
    })
  } catch (error) {
    throwIfMissingTool(error, 'mksquashfs')
    throw new AgentError('build_failed', "The node could not pack the program's code", { cause: error })
  }
}

/** Options of mksquashfs that make every file the superuser's, or the user's programs run as. */
export function ownedBy(owner: 'root' | 'program'): string[] {
  return owner === 'root' ? ['-all-root'] : ['-force-uid', '1000', '-force-gid', '1000']
}

function throwIfMissingTool(error: unknown, tool: string): void {
  if ((error as NodeJS.ErrnoException).code !== 'ENOENT') return
  throw new AgentError('build_failed', `${tool} is missing on this node: apt-get install squashfs-tools`, {
    cause: error,
  })
}
