import { mkdir, readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'

const archiveSuffix = '.dag'
const incomingName = 'incoming'
/** A draft that nobody has written to for so long is left over, ms. */
const abandonedMs = 24 * 3600 * 1000

/** Where files lie in the folder of a store: by their hashes, two levels of 256 folders, which keep any one small. */
export class Shelves {
  readonly #folder: string

  private constructor(folder: string) {
    this.#folder = folder
  }

  /**
   * Opens a folder, creating it, and drops what an interrupted run had half written.
   *
   * @param options.isShared other processes write into it as well: only what is a day old is of an interrupted run
   */
  static async open(folder: string, { isShared }: { isShared: boolean }): Promise<Shelves> {
    const shelves = new Shelves(folder)
    await mkdir(shelves.incoming, { recursive: true, mode: 0o700 })
    const before = Date.now() - (isShared ? abandonedMs : 0)
    for (const name of await readdir(shelves.incoming)) {
      const path = join(shelves.incoming, name)
      const draft = await stat(path).catch(ignoreAbsence)
      if (draft && draft.mtimeMs <= before) await rm(path, { recursive: true, force: true })
    }
    return shelves
  }

  /** Where drafts are written. */
  get incoming(): string {
    return join(this.#folder, incomingName)
  }

  /** Of a file that lies there as it is. */
  pathOf(hash: string): string {
    if (!/^[A-Za-z0-9]{44,64}$/.test(hash)) throw new TypeError(`Not a file hash: ${JSON.stringify(hash)}`)
    return join(this.#folder, hash.slice(-2), hash.slice(-4, -2), hash)
  }

  /** Of a DAG that lies there as its blocks. */
  archiveOf(cid: string): string {
    return this.pathOf(cid) + archiveSuffix
  }

  /** Hashes of all files, folder by folder. */
  async *hashes(): AsyncGenerator<string> {
    for (const shard of await readdir(this.#folder)) {
      if (shard === incomingName) continue
      for (const inner of await readdir(join(this.#folder, shard))) {
        for (const name of await readdir(join(this.#folder, shard, inner))) {
          yield name.endsWith(archiveSuffix) ? name.slice(0, -archiveSuffix.length) : name
        }
      }
    }
  }
}

export function ignoreAbsence(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error
}
