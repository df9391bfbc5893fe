import { randomUUID } from 'node:crypto'
import { readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

async function readOwner(path: string): Promise<number> {
  return Number.parseInt(await readFile(path, 'utf8').catch(() => ''), 10)
}

function isStale(owner: number): boolean {
  return Number.isInteger(owner) && owner !== process.pid && !isAlive(owner)
}

/** Of several that find the lock of a dead process, one moves it away; a new owner's lock is put back. */
async function removeIfStale(path: string): Promise<void> {
  if (!isStale(await readOwner(path))) return
  const aside = `${path}.${randomUUID()}`
  try {
    await rename(path, aside)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return
    throw error
  }
  if (isStale(await readOwner(aside))) await rm(aside)
  else await rename(aside, path)
}

/** Held by whoever builds images below a cache folder: all use its one archive of Debian packages. */
export function buildLock(cacheDir: string): string {
  return join(cacheDir, 'build.lock')
}

const inProcess = new Map<string, Promise<unknown>>()

/** Runs `work` while no other caller, in this process or another, runs under the same lock file. */
export async function withLock<T>(path: string, work: () => Promise<T>): Promise<T> {
  const previous = inProcess.get(path) ?? Promise.resolve()
  const run = previous.catch(() => {}).then(() => withLockFile(path, work))
  inProcess.set(path, run)
  return run
}

async function withLockFile<T>(path: string, work: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      await writeFile(path, String(process.pid), { flag: 'wx' })
      break
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    }
    await removeIfStale(path)
    await sleep(100)
  }
  try {
    return await work()
  } finally {
    await rm(path, { force: true })
  }
}
