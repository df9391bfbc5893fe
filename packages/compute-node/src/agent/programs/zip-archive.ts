import { createWriteStream } from 'node:fs'
import { lstat, mkdir, symlink } from 'node:fs/promises'
import { dirname, join, posix } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import { type Entry, open as openZip, type ZipFile } from 'yauzl'
import { AgentError } from '../errors.ts'

export interface ArchiveLimits {
  maxEntries: number
  /** Bytes of all files unpacked. */
  maxTotalBytes: number
  /** Unpacked bytes per packed byte, over the whole archive. */
  maxRatio: number
}

export const defaultArchiveLimits: ArchiveLimits = {
  maxEntries: 20_000,
  maxTotalBytes: 512 * 1024 * 1024,
  maxRatio: 200,
}

const MAX_PATH_BYTES = 1024
const MAX_LINK_BYTES = 1024
const RATIO_FREE_BYTES = 1024 * 1024
const FILE_TYPE_MASK = 0o170000
const REGULAR = 0o100000
const DIRECTORY = 0o040000
const SYMLINK = 0o120000

/**
 * Unpacks a zip into an empty folder. Names that leave it, devices, encrypted entries, links pointing
 * outside, duplicates, and bombs are refused before anything of them is written. Links are made last, so
 * that no file is ever written through one.
 * Throws AgentError `broken_archive` or `file_too_large`.
 */
export async function extractZip(archive: string, folder: string, limits: ArchiveLimits): Promise<void> {
  try {
    const zip = await open(archive)
    try {
      const entries = await readDirectory(zip, limits)
      await mkdir(folder, { recursive: true })
      for (const entry of entries.filter((entry) => kindOf(entry) === 'directory')) {
        await mkdir(join(folder, entry.fileName), { recursive: true })
      }
      for (const entry of entries.filter((entry) => kindOf(entry) === 'file')) {
        await extractFile(zip, entry, folder)
      }
      for (const entry of entries.filter((entry) => kindOf(entry) === 'link')) {
        await extractLink(zip, entry, folder)
      }
    } finally {
      zip.close()
    }
  } catch (error) {
    if (error instanceof AgentError) throw error
    throw broken((error as Error).message, error)
  }
}

function open(archive: string): Promise<ZipFile> {
  return new Promise((resolve, reject) => {
    openZip(archive, { lazyEntries: true, autoClose: false, strictFileNames: true }, (error, zip) =>
      error ? reject(error) : resolve(zip),
    )
  })
}

/** All entries, checked as a whole: nothing is unpacked of an archive that breaks any rule. */
async function readDirectory(zip: ZipFile, limits: ArchiveLimits): Promise<Entry[]> {
  if (zip.entryCount > limits.maxEntries) throw broken(`it has more than ${limits.maxEntries} entries`)
  const entries: Entry[] = []
  const names = new Set<string>()
  let packed = 0
  let unpacked = 0
  await new Promise<void>((resolve, reject) => {
    zip.on('error', reject)
    zip.on('end', resolve)
    zip.on('entry', (entry: Entry) => {
      const name = entry.fileName.replace(/\/+$/, '')
      packed += entry.compressedSize
      unpacked += entry.uncompressedSize
      const problem = entryProblem(entry) ?? (names.has(name) ? `"${name}" is there twice` : null)
      if (problem) return reject(broken(problem))
      if (unpacked > limits.maxTotalBytes) return reject(bomb(`more than ${limits.maxTotalBytes} bytes`))
      if (unpacked > RATIO_FREE_BYTES && unpacked > packed * limits.maxRatio) {
        return reject(bomb(`more than ${limits.maxRatio} times its size`))
      }
      names.add(name)
      entries.push(entry)
      zip.readEntry()
    })
    zip.readEntry()
  })
  if (!entries.some((entry) => kindOf(entry) === 'file')) throw broken('it holds no file')
  return entries
}

function entryProblem(entry: Entry): string | null {
  const { fileName } = entry
  if (fileName.includes('\0')) return 'a name holds a NUL byte'
  if (Buffer.byteLength(fileName) > MAX_PATH_BYTES) return `a name is longer than ${MAX_PATH_BYTES} bytes`
  if (!isInside(fileName.replace(/\/+$/, ''))) return `"${fileName}" leaves the archive's folder`
  if (entry.isEncrypted()) return `"${fileName}" is encrypted`
  if (kindOf(entry) === null) return `"${fileName}" is neither file, folder nor link`
  return null
}

/** Whether a slash-separated relative path stays below its start and names something there. */
export function isInside(path: string): boolean {
  if (path === '' || path.startsWith('/') || path.includes('\\')) return false
  const normal = posix.normalize(path)
  return normal !== '.' && normal !== '..' && !normal.startsWith('../')
}

function kindOf(entry: Entry): 'file' | 'directory' | 'link' | null {
  const type = (entry.externalFileAttributes >>> 16) & FILE_TYPE_MASK
  if (entry.fileName.endsWith('/')) return type === 0 || type === DIRECTORY ? 'directory' : null
  if (type === 0 || type === REGULAR) return 'file'
  return type === SYMLINK ? 'link' : null
}

async function extractFile(zip: ZipFile, entry: Entry, folder: string): Promise<void> {
  const path = join(folder, entry.fileName)
  await mkdir(dirname(path), { recursive: true })
  const executable = ((entry.externalFileAttributes >>> 16) & 0o111) !== 0
  const output = createWriteStream(path, { flags: 'wx', mode: executable ? 0o755 : 0o644 })
  await pipeline(await openEntry(zip, entry), output)
}

async function extractLink(zip: ZipFile, entry: Entry, folder: string): Promise<void> {
  if (entry.uncompressedSize > MAX_LINK_BYTES) throw broken(`the link "${entry.fileName}" is too long`)
  const target = (await buffer(await openEntry(zip, entry))).toString('utf8')
  const parent = posix.dirname(entry.fileName)
  if (
    target === '' ||
    target.includes('\0') ||
    target.startsWith('/') ||
    !isInside(posix.join(parent, target))
  ) {
    throw broken(`the link "${entry.fileName}" points outside the archive`)
  }
  for (let ancestor = parent; ancestor !== '.'; ancestor = posix.dirname(ancestor)) {
    const existing = await lstat(join(folder, ancestor)).catch(() => null)
    if (existing?.isSymbolicLink()) throw broken(`the link "${entry.fileName}" lies behind another link`)
  }
  await mkdir(join(folder, parent), { recursive: true })
  await symlink(target, join(folder, entry.fileName))
}

function openEntry(zip: ZipFile, entry: Entry): Promise<NodeJS.ReadableStream> {
  return new Promise((resolve, reject) => {
    zip.openReadStream(entry, (error, stream) => (error ? reject(error) : resolve(stream)))
  })
}

function broken(reason: string, cause?: unknown): AgentError {
  return new AgentError('broken_archive', `The program's code is no usable zip archive: ${reason}`, { cause })
}

function bomb(amount: string): AgentError {
  return new AgentError('file_too_large', `The program's zip archive unpacks to ${amount}`)
}
