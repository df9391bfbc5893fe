import { readFile, rm, writeFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

async function removeIfStale(path: string): Promise<void> {
  const owner = Number.parseInt(await readFile(path, 'utf8').catch(() => ''), 10)
  if (Number.isInteger(owner) && owner !== process.pid && !isAlive(owner)) await rm(path, { force: true })
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
