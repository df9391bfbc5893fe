import { execFileSync } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openRootDisk } from './root-disk.ts'

let folder: string
const image = Buffer.concat([Buffer.from('QFI\xfb', 'latin1'), Buffer.alloc(1000, 'disk')])

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'aleph-root-disk-'))
  await writeFile(join(folder, 'rootfs.qcow2'), image)
  await writeFile(join(folder, 'data.qcow2'), 'another disk')
})

afterAll(() => rm(folder, { recursive: true, force: true }))

const read = async (name: string) => Buffer.from(await (await openRootDisk(join(folder, name))).arrayBuffer())

test('the root disk is found in a backup, whatever else is in it', async () => {
  execFileSync('tar', ['-cf', 'backup.tar', 'data.qcow2', 'rootfs.qcow2'], { cwd: folder })
  expect(await read('backup.tar')).toEqual(image)
})

test('an image is its own root disk', async () => {
  expect(await read('rootfs.qcow2')).toEqual(image)
})

test.each([
  ['no backup', 'data.qcow2'],
  ['a backup without a root disk', 'volumes.tar'],
  ['nothing', 'missing'],
])('%s is refused', async (_what, name) => {
  execFileSync('tar', ['-cf', 'volumes.tar', 'data.qcow2'], { cwd: folder })
  await expect(read(name)).rejects.toMatchObject({ code: 'no_root_disk' })
})
