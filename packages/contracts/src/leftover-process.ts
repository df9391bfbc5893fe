import { readFile, rm, writeFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'

/**
 * A child whose parent was killed lives on and holds its port. A small file beside its data says which
 * process it is, so that the next start can end it. Linux only; elsewhere these functions do nothing.
 */
export async function rememberPid(pidFile: string, pid: number): Promise<void> {
  const identity = await readIdentity(pid)
  if (identity) await writeFile(pidFile, `${pid}\n${identity}\n`, { mode: 0o600 })
}

/** Removes the file once the child has ended. */
export async function forgetPid(pidFile: string): Promise<void> {
  await rm(pidFile, { force: true })
}

/** Ends the process the file names, if it still is the very same one, and resolves when it is gone. */
export async function endLeftover(pidFile: string): Promise<void> {
  const text = await readIfPresent(pidFile)
  if (text === undefined) return
  const [pidText, remembered] = text.split('\n')
  const pid = Number(pidText)
  const isSame = async () =>
    Number.isInteger(pid) && pid > 1 && remembered !== '' && (await readIdentity(pid)) === remembered
  if (await isSame()) process.kill(pid, 'SIGKILL')
  for (let tries = 0; tries < 100 && (await isSame()); tries++) await sleep(20)
  await forgetPid(pidFile)
}

/** Boot and start time of a process: with them, a process id that was given out again is not mistaken. */
async function readIdentity(pid: number): Promise<string | undefined> {
  const stat = await readIfPresent(`/proc/${pid}/stat`)
  const bootId = await readIfPresent('/proc/sys/kernel/random/boot_id')
  if (stat === undefined || bootId === undefined) return undefined
  // Fields are counted after the command, which stands in parentheses and may hold spaces (proc(5)).
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const isZombie = fields[0] === 'Z'
  return isZombie ? undefined : `${bootId.trim()}/${fields[19]}`
}

async function readIfPresent(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ESRCH') return undefined
    throw error
  }
}
