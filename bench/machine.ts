import { readFileSync } from 'node:fs'
import os from 'node:os'
import process from 'node:process'

/** What the figures were measured on; figures without their machine say nothing. */
export function describeMachine(): string {
  const cpu = os.cpus()[0]?.model.trim() ?? 'unknown processor'
  const memory = Math.round(os.totalmem() / 2 ** 30)
  const system = /^PRETTY_NAME="(.*)"$/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1] ?? os.type()
  return `${os.cpus().length} × ${cpu}, ${memory} GiB, ${system}, Node ${process.version}`
}
