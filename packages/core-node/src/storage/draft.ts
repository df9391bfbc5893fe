import { randomUUID } from 'node:crypto'
import { type FileHandle, mkdir, open, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'

const flushBytes = 1024 * 1024
const flushPieces = 256

/** A file being written: published whole and durable, or gone. */
export class Draft {
  readonly #path: string
  readonly #file: FileHandle
  #pieces: Uint8Array[] = []
  #unwritten = 0
  #size = 0

  private constructor(path: string, file: FileHandle) {
    this.#path = path
    this.#file = file
  }

  static async create(folder: string): Promise<Draft> {
    const path = join(folder, randomUUID())
    return new Draft(path, await open(path, 'wx+', 0o600))
  }

  /** Bytes appended so far. */
  get size(): number {
    return this.#size
  }

  /** Appends bytes, which must not change afterwards. */
  async append(bytes: Uint8Array): Promise<void> {
    this.#pieces.push(bytes)
    this.#unwritten += bytes.byteLength
    this.#size += bytes.byteLength
    if (this.#unwritten >= flushBytes || this.#pieces.length >= flushPieces) await this.#flush()
  }

  /** Writes over bytes that are there already. */
  async overwrite(bytes: Uint8Array, at: number): Promise<void> {
    await this.#flush()
    await this.#file.write(bytes, 0, bytes.byteLength, at)
  }

  async read(at: number, length: number): Promise<Uint8Array> {
    await this.#flush()
    return readExactly(this.#file, at, length)
  }

  /** Makes the file appear at `path`, replacing what is there; when this resolves it survives a crash. */
  async publish(path: string): Promise<void> {
    await this.#flush()
    await this.#file.sync()
    await mkdir(dirname(path), { recursive: true, mode: 0o700 })
    await rename(this.#path, path)
    await syncFolder(dirname(path))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file.close()
    await rm(this.#path, { force: true })
  }

  async #flush(): Promise<void> {
    if (this.#pieces.length === 0) return
    const pieces = this.#pieces
    const expected = this.#unwritten
    this.#pieces = []
    this.#unwritten = 0
    const { bytesWritten } = await this.#file.writev(pieces)
    if (bytesWritten !== expected) throw new Error('the disk took only a part of a file: is it full?')
  }
}

/** @throws {Error} when the file ends before */
export async function readExactly(file: FileHandle, at: number, length: number): Promise<Buffer> {
  const bytes = Buffer.allocUnsafeSlow(length)
  for (let filled = 0; filled < length; ) {
    const { bytesRead } = await file.read(bytes, filled, length - filled, at + filled)
    if (bytesRead === 0) throw new Error(`a stored file ends before byte ${at + length}`)
    filled += bytesRead
  }
  return bytes
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}
