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

test('the group of /dev/kvm comes besides the machine’s own', () => {
  const { file, args, user } = launchCommand(['-S'], { uid: 7, gid: 8, extraGroup: 104 })
  expect(file).toBe('setpriv')
  expect(args.join(' ')).toBe(`--reuid=7 --regid=8 --groups=104 --no-new-privs -- ${qemuBinary} -S`)
  expect(user).toBeNull()
})
