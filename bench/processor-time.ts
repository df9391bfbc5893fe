import { readdirSync, readFileSync } from 'node:fs'

/** Linux counts processor time in hundredths of a second for everybody. */
const msPerTick = 10

/** Processor time of a process and of all that it started so far, milliseconds. */
export interface ProcessorTime {
  own: number
  /** Of its children and theirs: a core node's PostgreSQL. */
  children: number
}

/** Reads from `/proc` how long processes have been on a processor, in the order of their ids. */
export function processorTimes(pids: number[]): ProcessorTime[] {
  const stats = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => readStat(Number(name)) ?? [])
  const children = Map.groupBy(stats, (stat) => stat.parent)
  const below = (pid: number): number =>
    (children.get(pid) ?? []).reduce((sum, stat) => sum + stat.own + stat.ended + below(stat.pid), 0)
  return pids.map((pid) => {
    const stat = stats.find((candidate) => candidate.pid === pid)
    return { own: stat?.own ?? 0, children: (stat?.ended ?? 0) + below(pid) }
  })
}

/** A line of `/proc/PID/stat`; times are of the process itself and of children that have ended. */
function readStat(pid: number): { pid: number; parent: number; own: number; ended: number } | undefined {
  let text: string
  try {
    text = readFileSync(`/proc/${pid}/stat`, 'utf8')
  } catch {
    return undefined
  }
  // The second field is the program's name in brackets and may hold anything.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  const ticks = (from: number) => (Number(fields[from]) + Number(fields[from + 1])) * msPerTick
  return { pid, parent: Number(fields[1]), own: ticks(11), ended: ticks(13) }
}
