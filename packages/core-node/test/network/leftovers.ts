import { readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ip } from './namespaces.ts'
import { isLeftOver } from './owned-names.ts'

/**
 * Ends the nodes and removes the namespaces and folders of tests that were killed: what is named after a process that
 * is gone.
 */
export async function clearLeftovers(): Promise<void> {
  if (process.getuid?.() === 0) {
    for (const namespace of (await namespaces()).filter(isLeftOver)) {
      // Another test may be at it as well.
      await clearNamespace(namespace).catch(() => {})
    }
  }
  for (const folder of (await readdir(tmpdir())).filter(isLeftOver)) {
    const path = join(tmpdir(), folder)
    for (const pid of await nodesIn(path)) end(pid)
    // Databases of killed nodes end a moment after them.
    await rm(path, { recursive: true, force: true, maxRetries: 20, retryDelay: 250 })
  }
}

async function clearNamespace(namespace: string): Promise<void> {
  const inside = await ip(`netns pids ${namespace}`)
  for (const pid of inside.split('\n').filter(Boolean)) end(Number(pid))
  await ip(`netns delete ${namespace}`)
}

async function namespaces(): Promise<string[]> {
  const list = await ip('netns list').catch(() => '')
  return list.split('\n').map((line) => line.split(' ')[0]!)
}

/** Processes of nodes that keep their data below a folder; none where the system does not tell. */
async function nodesIn(folder: string): Promise<number[]> {
  const pids = (await readdir('/proc').catch(() => [])).map(Number).filter((pid) => pid > 0)
  const found = await Promise.all(
    pids.map(async (pid) => {
      const environment = await readFile(`/proc/${pid}/environ`, 'utf8').catch(() => '')
      return environment.includes(`ALEPH_CORE_DATA_DIR=${folder}/`) ? pid : []
    }),
  )
  return found.flat()
}

function end(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}
