import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { Jail, jailCommand, jailFolder } from './jail.ts'

const options = { binary: '/usr/bin/firecracker', jailer: '/usr/bin/jailer', base: '/data/jailer' }

test('a machine is started by the jailer as a user of its own, in a root of its own', () => {
  const { file, args } = jailCommand(options, 'a1', { uid: 7, gid: 8 })
  expect([file, ...args].join(' ')).toBe(
    '/usr/bin/jailer --id a1 --uid 7 --gid 8 --exec-file /usr/bin/firecracker --chroot-base-dir /data/jailer -- --api-sock api.socket',
  )
  expect(jailFolder(options, 'a1')).toBe('/data/jailer/firecracker/a1/root')
})

test('without rights it is started as ourselves', () => {
  const { file, args } = jailCommand({ ...options, jailer: null }, 'a1', null)
  expect([file, ...args].join(' ')).toBe('/usr/bin/firecracker --id a1 --api-sock api.socket')
})

test.runIf(process.getuid?.() === 0)(
  'a jailed machine may read images and write its own disks alone',
  async () => {
    const directory = mkdtempSync(join(tmpdir(), 'aleph-jail-'))
    try {
      for (const name of ['image', 'disk']) writeFileSync(join(directory, name), name, { mode: 0o600 })
      const jail = new Jail(join(directory, 'root'), { uid: 7, gid: 8 })
      await jail.make()
      await jail.place('kernel', join(directory, 'image'))
      await jail.place('disk-data', join(directory, 'disk'), true)
      expect(readFileSync(join(directory, 'root/kernel'), 'utf8')).toBe('image')
      expect(statSync(join(directory, 'root/kernel'))).toMatchObject({ uid: 0, mode: 0o100644 })
      expect(statSync(join(directory, 'root/disk-data'))).toMatchObject({ uid: 7, gid: 8, mode: 0o100600 })
    } finally {
      rmSync(directory, { recursive: true, force: true })
    }
  },
)
