import { createWriteStream } from 'node:fs'
import { mkdir, readdir, rename, rm, stat, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable, Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { ReadableStream } from 'node:stream/web'
import { isItemHash } from '@aleph-ts/protocol'
import type { Logger } from 'pino'
import { AgentError } from '../errors.ts'
import { contentCheck } from './content-check.ts'
import type { Attempt, CoreNodes } from './core-nodes.ts'

const STALL_MS = 30_000

export interface FileStoreOptions {
  coreNodes: CoreNodes
  dir: string
  /** Bytes the cache may hold; the least recently used files go first, never one in use. */
  budgetBytes: number
  logger: Logger
  /** Hashes of files some VM still needs. */
  inUse: () => ReadonlySet<string>
  onDownloaded?: (bytes: number) => void
}

/**
 * Files of the network by content hash: streamed from any core node, hashed on the way, and only then given
 * their name (protocol 05 §6.3, §24.4). Concurrent requests for one file share one download.
 */
export class FileStore {
  readonly #options: FileStoreOptions
  readonly #downloads = new Map<string, Promise<string>>()
  #evicting: Promise<void> = Promise.resolve()

  constructor(options: FileStoreOptions) {
    this.#options = options
  }

  /** Makes the folder and removes what an interrupted download left behind. */
  async start(): Promise<void> {
    await mkdir(this.#options.dir, { recursive: true })
    const leftovers = (await readdir(this.#options.dir)).filter((name) => name.endsWith('.part'))
    await Promise.all(leftovers.map((name) => rm(join(this.#options.dir, name), { force: true })))
  }

  /**
   * Path of the file with this sha256 or CID, downloaded if need be.
   * Throws AgentError `file_not_found`, `file_too_large`, `content_mismatch`, `core_nodes_unreachable` or `unsupported`.
   */
  async fetch(hash: string, maxBytes: number): Promise<string> {
    if (!isItemHash(hash)) {
      throw new AgentError('unsupported', `A file is known by its sha256 or its CID, not as "${hash}"`)
    }
    const path = join(this.#options.dir, hash)
    const known = await stat(path).catch(() => null)
    if (known) {
      assertSize(hash, known.size, maxBytes)
      const now = new Date()
      await utimes(path, now, now).catch(() => undefined)
      return path
    }
    let download = this.#downloads.get(hash)
    if (!download) {
      download = this.#download(hash, path, maxBytes).finally(() => this.#downloads.delete(hash))
      this.#downloads.set(hash, download)
    }
    return download
  }

  async #download(hash: string, path: string, maxBytes: number): Promise<string> {
    const found = await this.#options.coreNodes.first(`file ${hash}`, (server) =>
      this.#downloadFrom(server, hash, path, maxBytes),
    )
    if (!found) {
      throw new AgentError(
        'file_not_found',
        `Code, runtime or data not available: no core node has the file ${hash}`,
      )
    }
    this.#evicting = this.#evicting
      .then(() => this.#evict(hash))
      .catch((error: unknown) => {
        this.#options.logger.error({ err: error }, 'eviction of cached files failed')
      })
    return path
  }

  async #downloadFrom(server: string, hash: string, path: string, maxBytes: number): Promise<Attempt<true>> {
    const abort = new AbortController()
    const response = await this.#options.coreNodes.get(server, `/api/v0/storage/raw/${hash}`, abort.signal)
    if (response.status !== 200 || !response.body) {
      await response.body?.cancel()
      if (response.status === 404 || response.status === 410) return { missing: true }
      throw new Error(`answered ${response.status} for file ${hash}`)
    }
    const content = contentCheck(hash)
    const part = `${path}.${process.pid}.part`
    let size = 0
    const stall = setTimeout(() => abort.abort(new Error(`no byte for ${STALL_MS} ms`)), STALL_MS)
    const check = new Transform({
      transform(chunk: Buffer, _encoding, done) {
        stall.refresh()
        size += chunk.byteLength
        if (size > maxBytes) return done(tooLarge(hash, maxBytes))
        content.update(chunk)
        done(null, chunk)
      },
    })
    try {
      const announced = Number(response.headers.get('content-length') ?? 0)
      assertSize(hash, announced, maxBytes)
      await pipeline(Readable.fromWeb(response.body as ReadableStream), check, createWriteStream(part))
      if (!(await content.matches(part))) {
        throw new AgentError('content_mismatch', `A core node sent wrong bytes for the file ${hash}`)
      }
      await rename(part, path)
      this.#options.onDownloaded?.(size)
      return { found: true }
    } catch (error) {
      abort.abort()
      throw error
    } finally {
      clearTimeout(stall)
      await rm(part, { force: true })
    }
  }

  async #evict(justAdded: string): Promise<void> {
    const names = (await readdir(this.#options.dir)).filter((name) => !name.endsWith('.part'))
    const files = await Promise.all(
      names.map(async (name) => {
        const { size, mtimeMs } = await stat(join(this.#options.dir, name))
        return { name, size, mtimeMs }
      }),
    )
    let total = files.reduce((sum, file) => sum + file.size, 0)
    const inUse = this.#options.inUse()
    for (const file of files.sort((a, b) => a.mtimeMs - b.mtimeMs)) {
      if (total <= this.#options.budgetBytes) return
      if (file.name === justAdded || inUse.has(file.name)) continue
      await rm(join(this.#options.dir, file.name), { force: true })
      total -= file.size
      this.#options.logger.info({ file: file.name, bytes: file.size }, 'cached file evicted')
    }
  }
}

function assertSize(hash: string, size: number, maxBytes: number): void {
  if (size > maxBytes) throw tooLarge(hash, maxBytes)
}

function tooLarge(hash: string, maxBytes: number): AgentError {
  return new AgentError(
    'file_too_large',
    `File ${hash} is larger than the ${maxBytes} bytes this node accepts for its use`,
  )
}
