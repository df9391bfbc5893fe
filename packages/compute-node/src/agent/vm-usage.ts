import { readFile } from 'node:fs/promises'
import type { VmInfo } from '../supervisor/index.ts'

/** What a VM's process has used since its start, and the memory it holds now. */
export interface VmUsage {
  cpuUserSeconds: number
  cpuSystemSeconds: number
  memoryBytes: number
  readCount: number
  writeCount: number
  readBytes: number
  writeBytes: number
  /** As the guest sees it; null without a link of its own. */
  network: { receivedBytes: number; sentBytes: number } | null
}

const TICKS_PER_SECOND = 100

/** Null for a VM that does not run, and for one whose process ended just now. */
export async function vmUsage({ pid, link }: Pick<VmInfo, 'pid' | 'link'>): Promise<VmUsage | null> {
  if (pid === undefined) return null
  const files = ['stat', 'status', 'io'].map((name) =>
    readFile(`/proc/${pid}/${name}`, 'utf8').catch(() => ''),
  )
  const [stat = '', status = '', io = ''] = await Promise.all(files)
  // The second field is a name in brackets, which may hold anything.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  if (fields.length < 13) return null
  const value = (text: string, name: string) =>
    Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(text)?.[1] ?? 0)
  return {
    cpuUserSeconds: Number(fields[11]) / TICKS_PER_SECOND,
    cpuSystemSeconds: Number(fields[12]) / TICKS_PER_SECOND,
    memoryBytes: value(status, 'VmRSS') * 1024,
    readCount: value(io, 'syscr'),
    writeCount: value(io, 'syscw'),
    readBytes: value(io, 'read_bytes'),
    writeBytes: value(io, 'write_bytes'),
    network: link ? await linkUsage(link.tap) : null,
  }
}

/** What the host receives on the tap, its guest has sent. */
async function linkUsage(tap: string): Promise<VmUsage['network']> {
  const bytes = async (way: 'rx' | 'tx') =>
    Number(await readFile(`/sys/class/net/${tap}/statistics/${way}_bytes`, 'utf8').catch(() => 0))
  return { receivedBytes: await bytes('tx'), sentBytes: await bytes('rx') }
}
