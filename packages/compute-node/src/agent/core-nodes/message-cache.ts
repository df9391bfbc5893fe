import { mkdir, readdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

const MAX_FILES = 20_000
/** Messages kept between two looks at how many there are. */
const LOOK_EVERY = 256

/** A message as it is kept: nothing of it is believed when it is read again. */
export interface KeptMessage {
  envelope: unknown
  /** Its content, as it was hashed. */
  text: string
}

/** Messages on disk, one file each, by hash. Anybody can have a node fetch messages, so the least used ones go. */
export class MessageCache {
  readonly #dir: string
  readonly #maxFiles: number
  #writes = 0
  #pruning: Promise<void> = Promise.resolve()

  constructor(dir: string, maxFiles = MAX_FILES) {
    this.#dir = dir
    this.#maxFiles = maxFiles
  }

  /** Null when there is none. Throws when it is damaged. */
  async read(hash: string): Promise<KeptMessage | null> {
    const path = this.#path(hash)
    const text = await readFile(path, 'utf8').catch(() => null)
    if (text === null) return null
    const now = new Date()
    await utimes(path, now, now).catch(() => undefined)
    return JSON.parse(text) as KeptMessage
  }

  async write(hash: string, { envelope, text }: KeptMessage): Promise<void> {
    const path = this.#path(hash)
    await mkdir(this.#dir, { recursive: true })
    const part = `${path}.${process.pid}.part`
    await writeFile(part, JSON.stringify({ envelope, text }))
    await rename(part, path)
    if (this.#writes++ % LOOK_EVERY === 0) this.#pruning = this.#pruning.then(() => this.#prune())
    await this.#pruning
  }

  async remove(hash: string): Promise<void> {
    await rm(this.#path(hash), { force: true })
  }

  async #prune(): Promise<void> {
    const names = await readdir(this.#dir)
    if (names.length <= this.#maxFiles) return
    const files: { path: string; usedAt: number }[] = []
    for (const name of names) {
      const path = join(this.#dir, name)
      // It may be gone, or have its name only now.
      const facts = await stat(path).catch(() => null)
      if (facts) files.push({ path, usedAt: facts.mtimeMs })
    }
    files.sort((a, b) => a.usedAt - b.usedAt)
    for (const { path } of files.slice(0, files.length - this.#maxFiles)) await rm(path, { force: true })
  }

  #path(hash: string): string {
    return join(this.#dir, `${hash}.json`)
  }
}
