import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { MachineCgroups } from './cgroup.ts'

// An ordinary folder in the place of a cgroup: what is written where, not what the kernel makes of it.
let folder: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'aleph-cgroup-'))
})
afterEach(() => rm(folder, { recursive: true }))

test('a machine gets the processors, the memory and the tasks of its shape', async () => {
  await writeFile(join(folder, 'cgroup.controllers'), 'cpuset cpu io memory pids\n')
  const cgroups = await MachineCgroups.open(folder)
  await cgroups.place('00112233aabbccdd', 4711, { vcpus: 2, memoryMiB: 512, disks: [] })
  const written = async (name: string) => readFile(join(folder, '00112233aabbccdd', name), 'utf8')
  expect(await written('cpu.max')).toBe('200000 100000')
  expect(await written('memory.max')).toBe(String(768 * 1024 * 1024))
  expect(await written('memory.oom.group')).toBe('1')
  expect(await written('pids.max')).toBe('66')
  expect(await written('cgroup.procs')).toBe('4711')
})

test('a machine may not swap, where the kernel counts that', async () => {
  await writeFile(join(folder, 'cgroup.controllers'), 'cpu memory pids')
  const group = join(folder, '00112233aabbccdd')
  await mkdir(group)
  await writeFile(join(group, 'memory.swap.max'), 'max')
  const cgroups = await MachineCgroups.open(folder)
  await cgroups.place('00112233aabbccdd', 4711, { vcpus: 1, memoryMiB: 256, disks: [] })
  expect(await readFile(join(group, 'memory.swap.max'), 'utf8')).toMatch(/^0/)
})

test('groups that a crash left are given up, others are not touched', async () => {
  await writeFile(join(folder, 'cgroup.controllers'), 'cpu memory pids')
  for (const name of ['00112233aabbccdd', 'ffffffffffffffff', 'not-ours']) await mkdir(join(folder, name))
  const cgroups = await MachineCgroups.open(folder)
  await cgroups.sweep(new Set(['ffffffffffffffff']))
  await expect(readFile(join(folder, '00112233aabbccdd'))).rejects.toMatchObject({ code: 'ENOENT' })
  for (const kept of ['ffffffffffffffff', 'not-ours']) {
    await expect(readFile(join(folder, kept))).rejects.toMatchObject({ code: 'EISDIR' })
  }
})

test('a folder that is no such cgroup is refused with what is missing', async () => {
  await writeFile(join(folder, 'cgroup.controllers'), 'cpu')
  await expect(MachineCgroups.open(folder)).rejects.toThrow('memory, pids')
})
