import { readdir, readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { identifyProcess, processArguments } from '../../src/hypervisor/qemu/host-process.ts'
import { RunDirectory } from '../../src/hypervisor/qemu/run-directory.ts'

/** Process ids of a node's machines that live, by VM, whether the node knows them or not. */
export async function livingMachines(dataDir: string): Promise<{ vm: string; pid: number }[]> {
  const sockets = new RunDirectory(join(dataDir, 'supervisor')).paths('').directory
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number)
  const found = await Promise.all(
    pids.map(async (pid) => {
      const args = await processArguments(pid)
      const pidFile = args[args.indexOf('-pidfile') + 1] ?? ''
      const isOurs = args[0]?.includes('qemu') && pidFile.startsWith(sockets)
      if (!isOurs || (await identifyProcess(pid)) === null) return []
      // One that waits for a snapshot is no VM's yet.
      const vm = await readFile(join(dirname(pidFile), 'vm'), 'utf8').catch(() => '')
      return vm === '' ? [] : [{ vm: vm.trim(), pid }]
    }),
  )
  return found.flat()
}

/** Ends a process as a crash would; one that is gone already is fine. */
export function killAtOnce(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}
