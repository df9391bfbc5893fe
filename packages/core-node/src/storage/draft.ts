import { randomUUID } from 'node:crypto'
import { type FileHandle, mkdir, open, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'

const flushBytes = 1024 * 1024

/** A file being written: published whole and durable, or gone. */
export class Draft {
  readonly #path: string
  readonly #file: FileHandle
  /** Bytes on their way to the disk. One place for all: what was appended is soon garbage. */
  readonly #unwritten = Buffer.allocUnsafeSlow(flushBytes)
  #filled = 0
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

  async append(bytes: Uint8Array): Promise<void> {
    this.#size += bytes.byteLength
    for (let at = 0; at < bytes.byteLength; ) {
      const part = bytes.subarray(at, at + flushBytes - this.#filled)
      this.#unwritten.set(part, this.#filled)
      this.#filled += part.byteLength
      at += part.byteLength
      if (this.#filled === flushBytes) await this.#flush()
    }
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
    if (this.#filled === 0) return
    const { bytesWritten } = await this.#file.write(this.#unwritten, 0, this.#filled)
    if (bytesWritten !== this.#filled) throw new Error('the disk took only a part of a file: is it full?')
    this.#filled = 0
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
