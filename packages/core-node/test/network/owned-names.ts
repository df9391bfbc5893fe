const prefix = 'aleph-parted-'

/** Begins the name of everything that a test here would leave behind if it were killed. */
export const ownPrefix = `${prefix}${process.pid}`

/** Whether something is named after a process that is gone. */
export function isLeftOver(name: string): boolean {
  const owner = name.startsWith(prefix) ? Number.parseInt(name.slice(prefix.length), 10) : Number.NaN
  return owner > 0 && !isRunning(owner)
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
