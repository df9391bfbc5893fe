import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type ProgramSpec, type Supervisor, type VmInfo, VmStartError } from '../../src/supervisor/index.ts'
import { exitsAtStart, neverListens, politeSite, staticSite } from './programs.ts'
import { call, openVmLab, type VmLab } from './vm-lab.ts'

async function logText(supervisor: Supervisor, id: string): Promise<string> {
  const lines: string[] = []
  for await (const { text } of supervisor.logs(id)) lines.push(text)
  return lines.join('\n')
}

/** A zombie that nobody has waited for yet does not run any more. */
async function isRunning(pid: number | undefined): Promise<boolean> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => 'State:\tX')
  return !/^State:\t[ZX]/m.test(status)
}

describe('one supervisor', () => {
  let lab: VmLab
  let supervisor: Supervisor

  beforeAll(async () => {
    lab = await openVmLab()
    supervisor = await lab.supervisor()
  }, 600_000)

  afterAll(async () => {
    await supervisor?.stopAll(0)
    await lab?.[Symbol.asyncDispose]()
  })

  async function startError(spec: ProgramSpec, at = supervisor): Promise<VmStartError> {
    const error = await at.ensureRunning(spec).catch((reason) => reason)
    expect(error).toBeInstanceOf(VmStartError)
    return error
  }

  test('the probe boots a guest and says what runs it', () => {
    expect(supervisor.capabilities.hypervisor).toBe('qemu')
    expect(['kvm', 'tcg']).toContain(supervisor.capabilities.accelerator)
    expect(supervisor.capabilities.probeBootMs).toBeGreaterThan(0)
  })

  test('a program that exits at its start is reported with what it printed', async () => {
    const error = await startError(await lab.spec('exits', exitsAtStart))
    expect(error).toMatchObject({ code: 'program_exited', message: 'the program exited with code 7' })
    expect(error.log).toContain('cannot find my database')
    expect(supervisor.get('exits')?.state).toBe('failed')
  })

  test('a program that never listens is reported with what it printed', async () => {
    await using impatientLab = await openVmLab()
    await using impatient = await impatientLab.supervisor({ limits: { programMs: 500 } })
    const error = await startError(await lab.spec('mute', neverListens), impatient)
    expect(error.code).toBe('program_not_listening')
    expect(error.log).toContain('thinking about it')
  })

  test('a disk that is no file system is reported, not waited for', async () => {
    const spec = await lab.spec('broken', staticSite)
    const error = await startError({ ...spec, code: { ...spec.code, path: lab.images.initrd } })
    expect(error.code).toBe('guest_failed')
    expect(error.message).toContain('code')
  })

  test('every machine runs as a user of its own, in a sandbox, if the node itself is root', async () => {
    const vms = await Promise.all(
      ['one', 'two'].map(async (id) => supervisor.ensureRunning(await lab.spec(id, staticSite))),
    )
    const statuses = await Promise.all(vms.map(({ info }) => readFile(`/proc/${info.pid}/status`, 'utf8')))
    for (const status of statuses) expect(status).toMatch(/^Seccomp:\t2$/m)
    if (process.getuid?.() !== 0) return
    const uids = statuses.map((status) => /^Uid:\t(\d+)\t/m.exec(status)?.[1])
    expect(uids).not.toContain('0')
    expect(new Set(uids).size).toBe(2)
  })

  test('a program is asked to end before its machine is', async () => {
    await supervisor.ensureRunning(await lab.spec('polite', politeSite, { kind: 'persistent' }))
    await supervisor.stop('polite')
    expect(supervisor.get('polite')?.state).toBe('stopped')
    expect(await logText(supervisor, 'polite')).toContain('goodbye')
  })

  test('a machine killed from outside is noticed, and the VM starts again', async () => {
    const spec = await lab.spec('victim', staticSite)
    const { info } = await supervisor.ensureRunning(spec)
    const changed = once(supervisor, 'state') as Promise<[VmInfo]>
    process.kill(info.pid!, 'SIGKILL')
    expect((await changed)[0]).toMatchObject({
      id: 'victim',
      state: 'failed',
      error: { code: 'hypervisor_failed' },
    })
    const again = await supervisor.ensureRunning(spec)
    expect(await call(again, '/page.txt')).toBe('a page\n')
    expect(again.info.startKind).toBe('restored')
  })

  test('stopping everything leaves no process', async () => {
    const pids = supervisor.list().flatMap(({ pid }) => pid ?? [])
    expect(pids.length).toBeGreaterThan(0)
    await supervisor.stopAll()
    expect(await Promise.all(pids.map(isRunning))).not.toContain(true)
  })
})

test('VMs survive kill -9 of the node: the next one takes over those it knows and kills the others', async () => {
  await using lab = await openVmLab()
  const kept = await lab.spec('kept', staticSite, { kind: 'persistent' })
  const lost = await lab.spec('lost', staticSite, { kind: 'persistent' })
  const { process: node, vms } = await superviseElsewhere(lab, [kept, lost])
  node.kill('SIGKILL')
  await once(node, 'exit')
  await rm(join(lab.dataDir, 'vms', 'lost.json'))
  expect(await Promise.all(vms.map(({ pid }) => isRunning(pid)))).toEqual([true, true])

  await using supervisor = await lab.supervisor()
  const before = vms.find(({ id }) => id === 'kept')!
  expect(supervisor.get('kept')).toMatchObject({
    state: 'running',
    pid: before.pid,
    startedAt: before.startedAt,
  })
  expect(await call(await supervisor.ensureRunning(kept), '/page.txt')).toBe('a page\n')
  expect(supervisor.get('lost')).toBeUndefined()
  expect(await isRunning(vms.find(({ id }) => id === 'lost')?.pid)).toBe(false)

  // A machine that is no child of ours is watched all the same.
  const changed = once(supervisor, 'state') as Promise<[VmInfo]>
  process.kill(before.pid!, 'SIGKILL')
  expect((await changed)[0]).toMatchObject({ id: 'kept', state: 'failed' })
})

async function superviseElsewhere(
  lab: VmLab,
  specs: ProgramSpec[],
): Promise<{ process: ChildProcess; vms: VmInfo[] }> {
  const settings = JSON.stringify({ dataDir: lab.dataDir, images: lab.images, specs })
  const child = spawn(process.execPath, [join(import.meta.dirname, 'supervising-process.ts'), settings], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [line] = await once(createInterface({ input: child.stdout! }), 'line')
  return { process: child, vms: JSON.parse(line) }
}
