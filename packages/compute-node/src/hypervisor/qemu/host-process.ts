import { readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'

/** A process named beyond doubt: a pid alone may be recycled. */
export interface HostProcess {
  pid: number
  /** Field 22 of `/proc/<pid>/stat`, clock ticks since boot. */
  startTicks: string
}

/** Identifies a living process; null when there is none (a zombie counts as none). */
export async function identifyProcess(pid: number): Promise<HostProcess | null> {
  let stat: string
  try {
    stat = await readFile(`/proc/${pid}/stat`, 'utf8')
  } catch {
    return null
  }
  // The second field is the command name in brackets and may itself hold brackets and blanks.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const state = fields[0]
  const startTicks = fields[19]
  if (startTicks === undefined || state === 'Z' || state === 'X') return null
  return { pid, startTicks }
}

export async function isAlive(process: HostProcess): Promise<boolean> {
  const current = await identifyProcess(process.pid)
  return current !== null && current.startTicks === process.startTicks
}

/** Sends SIGKILL, if it is still the same process, and waits until it is gone. */
export async function killProcess(target: HostProcess, timeoutMs = 5000): Promise<boolean> {
  if (!(await isAlive(target))) return true
  try {
    process.kill(target.pid, 'SIGKILL')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
  return waitUntilGone(target, timeoutMs)
}

/** Polls, for processes that are not our children. */
export async function waitUntilGone(target: HostProcess, timeoutMs: number): Promise<boolean> {
  const deadline = Date.now() + timeoutMs
  while (await isAlive(target)) {
    if (Date.now() > deadline) return false
    await sleep(10)
  }
  return true
}

/** Memory of a process that stands in no file, bytes: its own, and what it changed of files mapped for itself alone. */
export async function anonymousMemory(pid: number): Promise<number> {
  try {
    const kib = /^RssAnon:\s+(\d+) kB$/m.exec(await readFile(`/proc/${pid}/status`, 'utf8'))?.[1]
    return Number(kib ?? 0) * 1024
  } catch {
    return 0
  }
}

/** The arguments a process was started with; empty when it is gone. */
export async function processArguments(pid: number): Promise<string[]> {
  try {
    return (await readFile(`/proc/${pid}/cmdline`, 'utf8')).split('\0')
  } catch {
    return []
  }
}
