import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { setTimeout as sleep } from 'node:timers/promises'

interface Recorded {
  pid: number
  /** A part of the command line, to tell our process from another that got the same id. */
  command: string
}

const graceMs = 10_000

/** Remembers the processes of a running network, so that a start after a crash of the devnet can end them. */
export function recordProcesses(dataDir: string, processes: Recorded[]): void {
  writeFileSync(fileOf(dataDir), JSON.stringify(processes))
}

export function forgetProcesses(dataDir: string): void {
  rmSync(fileOf(dataDir), { force: true })
}

/** Ends what an earlier devnet on this data dir left running because it was killed. */
export async function endLeftOverProcesses(dataDir: string): Promise<number> {
  const left = readRecorded(dataDir).filter(isAlive)
  for (const { pid } of left) process.kill(pid, 'SIGTERM')
  const deadline = Date.now() + graceMs
  while (left.some(isAlive) && Date.now() < deadline) await sleep(50)
  for (const each of left.filter(isAlive)) process.kill(each.pid, 'SIGKILL')
  forgetProcesses(dataDir)
  return left.length
}

function readRecorded(dataDir: string): Recorded[] {
  try {
    return JSON.parse(readFileSync(fileOf(dataDir), 'utf8')) as Recorded[]
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}

function isAlive({ pid, command }: Recorded): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(command)
  } catch {
    return false
  }
}

function fileOf(dataDir: string): string {
  return join(dataDir, 'processes.json')
}
