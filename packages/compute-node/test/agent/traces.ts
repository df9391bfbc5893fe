import { execFile } from 'node:child_process'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { RunDirectory } from '../../src/hypervisor/qemu/run-directory.ts'
import { livingMachines } from './living-machines.ts'

const run = promisify(execFile)

/** What is not of a VM: messages, which everybody can read, and what a scheduler plans. */
const elsewhere = /cache\/messages\/|state\/plan\.json$/

/** What a node still has of a VM: files and folders that name it or hold its name, and processes. */
export async function tracesOf(dataDir: string, hash: string): Promise<string[]> {
  const names = (await readdir(dataDir, { recursive: true })).filter((name) =>
    name.includes(hash.slice(0, 16)),
  )
  // It ends with 1 when it finds nothing.
  const { stdout } = await run('grep', ['-rlF', hash, '.'], { cwd: dataDir }).catch(
    (error: { code: number; stdout: string }) => {
      if (error.code !== 1) throw error
      return error
    },
  )
  const files = [...names, ...stdout.split('\n').filter((line) => line !== '')]
  const processes = (await livingMachines(dataDir)).filter(({ vm }) => vm.startsWith(hash))
  return [...files.filter((name) => !elsewhere.test(name)), ...processes.map(({ pid }) => `process ${pid}`)]
}

/** Folders of sockets that a node keeps, one for each of its machines. */
export function socketFolders(dataDir: string): Promise<string[]> {
  return new RunDirectory(join(dataDir, 'supervisor')).launchIds()
}
