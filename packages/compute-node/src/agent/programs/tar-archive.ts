import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createReadStream } from 'node:fs'
import { open, stat } from 'node:fs/promises'
import { Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGunzip } from 'node:zlib'
import { AgentError } from '../errors.ts'
import { ownedBy } from './squashfs.ts'
import type { ArchiveLimits } from './zip-archive.ts'

const TAR_MAGIC_OFFSET = 257
const PACK_TIMEOUT_MS = 120_000

/** What an archive is, by its first bytes: publishers say `zip` of any of them. */
export type ArchiveKind = 'zip' | 'tar' | 'tar.gz'

export async function archiveKind(path: string): Promise<ArchiveKind | null> {
  const file = await open(path, 'r')
  try {
    const head = Buffer.alloc(TAR_MAGIC_OFFSET + 5)
    const { bytesRead } = await file.read(head, 0, head.length, 0)
    if (bytesRead >= 2 && head.readUInt16BE(0) === 0x1f8b) return 'tar.gz'
    if (head.toString('latin1', 0, 2) === 'PK') return 'zip'
    return head.toString('latin1', TAR_MAGIC_OFFSET) === 'ustar' ? 'tar' : null
  } finally {
    await file.close()
  }
}

/**
 * Turns a tar archive into a squashfs image without unpacking it on the host: whatever its names and links
 * point at, they only ever mean something inside the guest. Throws AgentError `broken_archive` or `file_too_large`.
 */
export async function packTar(
  { path, owner }: { path: string; owner: 'root' | 'program' },
  kind: 'tar' | 'tar.gz',
  image: string,
  limits: ArchiveLimits,
): Promise<void> {
  const packed = (await stat(path)).size
  const most = Math.min(limits.maxTotalBytes, Math.max(packed * limits.maxRatio, 1024 * 1024))
  const options = [
    '-tar',
    '-noappend',
    ...ownedBy(owner),
    '-no-xattrs',
    '-no-progress',
    '-quiet',
    '-processors',
    '1',
  ]
  const reproducible = ['-mkfs-time', '0', '-all-time', '0', '-comp', 'lz4']
  const child = spawn('mksquashfs', ['-', image, ...options, ...reproducible], {
    stdio: ['pipe', 'ignore', 'pipe'],
    timeout: PACK_TIMEOUT_MS,
  })
  let words = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    words = (words + text).slice(-1024)
  })
  const ended = Promise.race([
    once(child, 'close'),
    once(child, 'error').then(([error]) => Promise.reject(error)),
  ])
  ended.catch(() => {})
  let failure: unknown
  try {
    const source = createReadStream(path)
    const limit = limitTo(most)
    if (kind === 'tar.gz') await pipeline(source, createGunzip(), limit, child.stdin)
    else await pipeline(source, limit, child.stdin)
  } catch (error) {
    // A packer that refuses the archive closes its end first: its own words are the better explanation.
    failure = error
    child.stdin.destroy()
  }
  if (failure instanceof AgentError) {
    child.kill('SIGKILL')
    throw failure
  }
  const [code] = await ended.catch((error: unknown) => {
    throw new AgentError(
      'build_failed',
      'mksquashfs is missing on this node: apt-get install squashfs-tools',
      {
        cause: error,
      },
    )
  })
  if (code === 0 && !failure) return
  const reason = words.trim().split('\n').at(-1) || (failure as Error | undefined)?.message
  throw new AgentError('broken_archive', `The program's code is no usable ${kind} archive: ${reason}`)
}

function limitTo(maxBytes: number): Transform {
  let size = 0
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      size += chunk.length
      if (size <= maxBytes) return done(null, chunk)
      done(new AgentError('file_too_large', `The program's archive unpacks to more than ${maxBytes} bytes`))
    },
  })
}
