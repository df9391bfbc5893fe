import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { identifyProcess, processArguments } from '../../src/hypervisor/qemu/host-process.ts'
import { RunDirectory } from '../../src/hypervisor/qemu/run-directory.ts'

/** Process ids of a node's machines that live, by VM, whether the node knows them or not. */
export async function livingMachines(dataDir: string): Promise<{ vm: string; pid: number }[]> {
  const sockets = new RunDirectory(join(dataDir, 'supervisor')).paths('').directory
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number)
  const found = await Promise.all(
    pids.map(async (pid) => {
      const args = await processArguments(pid)
      const vm = args[args.indexOf('-name') + 1]?.replace('aleph-vm-', '')
      const isOurs = args[0]?.includes('qemu') && args.some((arg) => arg.startsWith(sockets))
      return isOurs && vm !== undefined && (await identifyProcess(pid)) !== null ? [{ vm, pid }] : []
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
