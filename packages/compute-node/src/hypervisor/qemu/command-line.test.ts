import { describe, expect, test } from 'vitest'
import { type QemuCommandLine, qemuArguments } from './command-line.ts'

const line: QemuCommandLine = {
  id: 'vm',
  accelerator: 'tcg',
  sets: [],
  boot: { kernel: '/kernel', initrd: '/initrd', commandLine: 'console=ttyS0' },
  shape: {
    vcpus: 2,
    memoryMiB: 256,
    disks: [
      { serial: 'runtime', path: '/runtime' },
      { serial: 'code', path: '/a,b' },
    ],
  },
  paths: {
    directory: '/run',
    qmp: '/run/qmp',
    console: '/run/console',
    channel: '/run/channel',
    migration: '/run/migration',
    pidFile: '/run/pid',
    vm: '/run/vm',
  },
  incoming: false,
}

/** The values of every occurrence of an option. */
function values(args: string[], option: string): string[] {
  return args.flatMap((arg, index) => (arg === option ? [args[index + 1] ?? ''] : []))
}

describe('the QEMU command line', () => {
  const args = qemuArguments(line)

  test('has a second interrupt controller only for more devices than one has places for', () => {
    const machine = (disks: number) => {
      const shape = {
        ...line.shape,
        disks: Array.from({ length: disks }, (_, i) => ({ serial: `d${i}`, path: '/d' })),
      }
      return values(qemuArguments({ ...line, shape }), '-M')[0]
    }
    expect(machine(7)).toContain('ioapic2=off')
    expect(machine(8)).toContain('ioapic2=on')
  })

  test('names no memory and no disk when the process shall wait for them', () => {
    const waiting = qemuArguments({ ...line, incoming: true, spare: true })
    expect(waiting).toContain('-preconfig')
    expect(values(waiting, '-object').concat(values(waiting, '-drive'))).toEqual([])
    expect(values(waiting, '-device')).toEqual(values(args, '-device'))
  })

  test('gives the guest no network device, nor any default device', () => {
    expect(args).toContain('-nodefaults')
    expect(args).toContain('-no-user-config')
    expect(args.join(' ')).not.toMatch(/netdev|-nic|virtio-net|-net /)
  })

  test('locks QEMU in', () => {
    expect(values(args, '-sandbox')).toEqual([
      'on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny',
    ])
  })

  test('attaches every disk read-only, in order, with its serial', () => {
    expect(values(args, '-drive')).toEqual([
      'id=runtime,if=none,format=raw,readonly=on,file=/runtime',
      'id=code,if=none,format=raw,readonly=on,file=/a,,b',
    ])
    expect(values(args, '-device').filter((device) => device.startsWith('virtio-blk'))).toEqual([
      'virtio-blk-device,drive=runtime,serial=runtime',
      'virtio-blk-device,drive=code,serial=code',
    ])
  })

  test('lets the disks that a guest writes share one allowance', () => {
    const disks = [...line.shape.disks, { serial: 'volume0', path: '/volume', writable: true }]
    const diskLimits = { bytesPerSecond: 1000, operationsPerSecond: 10 }
    const limited = qemuArguments({ ...line, shape: { ...line.shape, disks }, diskLimits })
    expect(values(limited, '-drive').map((drive) => drive.replace(/.*file=/, ''))).toEqual([
      '/runtime',
      '/a,,b',
      '/volume,throttling.group=disks,throttling.bps-total=1000,throttling.iops-total=10',
    ])
  })

  test('sizes the machine', () => {
    expect(values(args, '-m')).toEqual(['256M'])
    expect(values(args, '-smp')).toEqual(['2'])
    expect(values(args, '-cpu')).toEqual(['max'])
    expect(values(qemuArguments({ ...line, accelerator: 'kvm' }), '-cpu')).toEqual(['host'])
  })

  test('waits for the console at a cold start, and for the snapshot at a restore', () => {
    expect(args).toContain('-S')
    expect(args).not.toContain('-incoming')
    const restoring = qemuArguments({ ...line, incoming: true })
    expect(values(restoring, '-incoming')).toEqual(['defer'])
    expect(restoring).not.toContain('-S')
  })

  test('keeps memory in a file that a template writes through to and a clone does not', () => {
    const memoryObject = (mode: 'shared' | 'private') =>
      values(qemuArguments({ ...line, memory: { path: '/memory', mode } }), '-object')
    expect(memoryObject('shared')).toEqual([
      'memory-backend-file,id=memory,size=256M,mem-path=/memory,share=on',
    ])
    expect(memoryObject('private')).toEqual([
      'memory-backend-file,id=memory,size=256M,mem-path=/memory,share=off',
    ])
    expect(values(args, '-object')).toEqual([])
  })
})
