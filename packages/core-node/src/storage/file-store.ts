import { randomUUID } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Readable } from 'node:stream'
import { createSha256 } from '@aleph-ts/protocol'

/** Bytes that cannot be kept; `code` says why. */
export class FileStoreError extends Error {
  readonly code: 'file_too_large' | 'hash_mismatch'

  constructor(code: FileStoreError['code'], message: string) {
    super(message)
    this.code = code
  }
}

export interface StoredFile {
  /** sha256, lower-case hex. */
  hash: string
  size: number
}

/** Files by content hash in a folder; a file is either absent or whole, whatever happens to the process. */
export class FileStore {
  readonly #folder: string

  private constructor(folder: string) {
    this.#folder = folder
  }

  /** Opens the store in `folder`, creating it, and drops what an interrupted run had half written. */
  static async create(folder: string): Promise<FileStore> {
    const store = new FileStore(folder)
    await rm(store.#incoming, { recursive: true, force: true })
    await mkdir(store.#incoming, { recursive: true, mode: 0o700 })
    return store
  }

  async has(hash: string): Promise<boolean> {
    return (await this.size(hash)) !== undefined
  }

  /** Size in bytes, or undefined when the file is not here. */
  async size(hash: string): Promise<number | undefined> {
    const found = await stat(this.#path(hash)).catch(ignoreAbsence)
    return found?.isFile() ? found.size : undefined
  }

  /** When the file was written last, or undefined when it is not here. */
  async writtenAt(hash: string): Promise<Date | undefined> {
    return (await stat(this.#path(hash)).catch(ignoreAbsence))?.mtime
  }

  /** The bytes as a stream, `start` and `end` (inclusive) as in `fs.createReadStream`. */
  read(hash: string, range: { start?: number; end?: number } = {}): Readable {
    return createReadStream(this.#path(hash), { ...range, highWaterMark: 256 * 1024 })
  }

  /** The whole file in memory, or undefined when it is not here; for files known to be small. */
  async readBytes(hash: string): Promise<Uint8Array | undefined> {
    return readFile(this.#path(hash)).catch(ignoreAbsence)
  }

  /**
   * Streams bytes in, hashing on the way, and keeps them durably under their sha256.
   *
   * @throws {FileStoreError} `file_too_large` beyond `maxBytes`; `hash_mismatch` when `expectedHash` is given and the
   * bytes are others
   */
  async write(
    source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
    options: { maxBytes: number; expectedHash?: string },
  ): Promise<StoredFile> {
    const draft = join(this.#incoming, randomUUID())
    try {
      const stored = await writeHashing(draft, source, options.maxBytes)
      if (options.expectedHash !== undefined && options.expectedHash !== stored.hash) {
        throw new FileStoreError(
          'hash_mismatch',
          `The bytes hash to ${stored.hash}, not to ${options.expectedHash}`,
        )
      }
      const path = this.#path(stored.hash)
      await mkdir(dirname(path), { recursive: true, mode: 0o700 })
      await rename(draft, path)
      await syncFolder(dirname(path))
      return stored
    } finally {
      await rm(draft, { force: true })
    }
  }

  async delete(hash: string): Promise<void> {
    await rm(this.#path(hash), { force: true })
  }

  /** Hashes of all files, folder by folder. */
  async *list(): AsyncGenerator<string> {
    for (const shard of await readdir(this.#folder)) {
      if (shard === 'incoming') continue
      for (const inner of await readdir(join(this.#folder, shard))) {
        yield* await readdir(join(this.#folder, shard, inner))
      }
    }
  }

  get #incoming(): string {
    return join(this.#folder, 'incoming')
  }

  /** Two levels of 256 folders keep any one folder small. */
  #path(hash: string): string {
    if (!/^[A-Za-z0-9]{44,64}$/.test(hash)) throw new TypeError(`Not a file hash: ${JSON.stringify(hash)}`)
    return join(this.#folder, hash.slice(-2), hash.slice(-4, -2), hash)
  }
}

async function writeHashing(
  path: string,
  source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  maxBytes: number,
): Promise<StoredFile> {
  const file = await open(path, 'wx', 0o600)
  try {
    const sha256 = createSha256()
    let size = 0
    for await (const chunk of source) {
      size += chunk.byteLength
      if (size > maxBytes)
        throw new FileStoreError('file_too_large', `The file is larger than ${maxBytes} bytes`)
      sha256.update(chunk)
      await file.writeFile(chunk)
    }
    await file.sync()
    return { hash: sha256.hex(), size }
  } finally {
    await file.close()
  }
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

function ignoreAbsence(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error
}
