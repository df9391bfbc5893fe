import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'

/** Held while a network runs on a data dir, so that two never share one. */
export class DataDirLock {
  readonly #file: string

  private constructor(file: string) {
    this.#file = file
  }

  /** @throws when another live process holds it; a lock whose process is gone is taken over. */
  static acquire(dataDir: string): DataDirLock {
    mkdirSync(dataDir, { recursive: true })
    const file = join(dataDir, 'devnet.lock')
    try {
      writeFileSync(file, String(process.pid), { flag: 'wx' })
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
      const holder = Number(readFileSync(file, 'utf8'))
      if (isDevnet(holder)) {
        throw new Error(
          `A network already runs on ${dataDir} (process ${holder}). Stop it, or use --data-dir.`,
        )
      }
      writeFileSync(file, String(process.pid))
    }
    return new DataDirLock(file)
  }

  release(): void {
    rmSync(this.#file, { force: true })
  }
}

/** Process ids are reused: a live process counts only when it is one of ours. */
function isDevnet(pid: number): boolean {
  if (pid === process.pid) return false
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('scripts/tasks.ts')
  } catch {
    return false
  }
}
