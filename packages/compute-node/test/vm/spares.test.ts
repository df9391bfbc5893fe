import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { identifyProcess } from '../../src/hypervisor/qemu/host-process.ts'
import { RunDirectory } from '../../src/hypervisor/qemu/run-directory.ts'
import { QemuHypervisor, type Supervisor } from '../../src/supervisor/index.ts'
import { staticSite } from './programs.ts'
import { call, openVmLab, type VmLab } from './vm-lab.ts'

/** Process ids of the machines of a lab's node, and of the processes that wait. */
async function processes({ dataDir }: VmLab): Promise<number[]> {
  const run = new RunDirectory(dataDir)
  const pids = await Promise.all((await run.launchIds()).map((launchId) => run.readPid(launchId)))
  return pids.filter((pid) => pid !== null)
}

async function openSupervisor(lab: VmLab) {
  const { dataDir, images, log } = lab
  const hypervisor = await QemuHypervisor.create({ dataDir, images, log, spareProcesses: 1 })
  return lab.supervisor({ hypervisor, standbys: 0 })
}

/** A program whose next start is from a snapshot, and the process that waits for it meanwhile. */
async function startAndStop(lab: VmLab, supervisor: Supervisor) {
  const spec = await lab.spec('site', staticSite)
  await supervisor.ensureRunning(spec)
  await supervisor.stop('site')
  await expect.poll(() => processes(lab)).toHaveLength(1)
  const [waiting] = await processes(lab)
  return { spec, waiting: waiting! }
}

test('a start from a snapshot goes on in a process that waited for it', async () => {
  await using lab = await openVmLab()
  await using supervisor = await openSupervisor(lab)
  const { spec, waiting } = await startAndStop(lab, supervisor)
  const again = await supervisor.ensureRunning(spec)
  expect(again.info).toMatchObject({ pid: waiting, startKind: 'restored' })
  expect(await call(again, '/page.txt')).toBe('a page\n')
  const status = await readFile(`/proc/${waiting}/status`, 'utf8')
  expect(status).toMatch(/^Seccomp:\t2$/m)
  if (process.getuid?.() === 0) expect(status).not.toMatch(/^[UG]id:\t0/m)
  // Nothing of the snapshot stays within its reach by name.
  const links = await readdir(join(lab.dataDir, 'spares'), { recursive: true })
  expect(links.filter((name) => name.includes('memory'))).toEqual([])
})

test('a process that died while it waited is replaced at the start that wanted it', async () => {
  await using lab = await openVmLab()
  await using supervisor = await openSupervisor(lab)
  const { spec, waiting } = await startAndStop(lab, supervisor)
  process.kill(waiting, 'SIGKILL')
  await expect.poll(() => identifyProcess(waiting)).toBeNull()
  const again = await supervisor.ensureRunning(spec)
  expect(again.info.pid).not.toBe(waiting)
  expect(await call(again, '/page.txt')).toBe('a page\n')
})

test('no process waits when the node has ended', async () => {
  await using lab = await openVmLab()
  const supervisor = await openSupervisor(lab)
  await supervisor.ensureRunning(await lab.spec('site', staticSite))
  await expect.poll(async () => (await processes(lab)).length).toBeGreaterThan(1)
  const pids = await processes(lab)
  await supervisor.stopAll(0)
  for (const pid of pids) expect(await identifyProcess(pid)).toBeNull()
  expect(await processes(lab)).toEqual([])
})
