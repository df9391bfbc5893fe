import { expect, test } from 'vitest'
import { launchCommand, qemuBinary } from './qemu-process.ts'

test('QEMU is started as the machine’s user', () => {
  expect(launchCommand(['-S'], { uid: 7, gid: 8 })).toEqual({
    file: qemuBinary,
    args: ['-S'],
    user: { uid: 7, gid: 8 },
  })
  expect(launchCommand(['-S'], null)).toEqual({ file: qemuBinary, args: ['-S'], user: null })
})

test('memory that devices write to may be held in place, by a limit raised before rights are given up', () => {
  const { file, args } = launchCommand(['-S'], { uid: 7, gid: 8 }, true)
  expect(file).toBe('prlimit')
  expect(args.join(' ')).toBe(
    `--memlock=unlimited:unlimited -- setpriv --reuid=7 --regid=8 --groups=8 --no-new-privs -- ${qemuBinary} -S`,
  )
})

test('the group of /dev/kvm comes besides the machine’s own', () => {
  const { file, args, user } = launchCommand(['-S'], { uid: 7, gid: 8, extraGroup: 104 })
  expect(file).toBe('setpriv')
  expect(args.join(' ')).toBe(`--reuid=7 --regid=8 --groups=104 --no-new-privs -- ${qemuBinary} -S`)
  expect(user).toBeNull()
})
