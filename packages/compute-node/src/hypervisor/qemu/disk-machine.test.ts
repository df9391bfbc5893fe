import { describe, expect, test } from 'vitest'
import type { ConfidentialShape, MachineShape } from '../hypervisor.ts'
import { confidentialCpu } from './confidential-machine.ts'
import { diskMachineArguments } from './disk-machine.ts'

const shape: MachineShape = {
  boots: 'disk',
  vcpus: 1,
  memoryMiB: 256,
  disks: [{ serial: 'root', path: '/root.qcow2', format: 'qcow2', writable: true }],
}

/** The values of every occurrence of an option. */
function values(args: string[], option: string): string[] {
  return args.flatMap((arg, index) => (arg === option ? [args[index + 1] ?? ''] : []))
}

test('the disks that a guest writes share one allowance', () => {
  const seed = { serial: 'seed', path: '/seed.iso' }
  const limited = { ...shape, disks: [...shape.disks, seed] }
  const args = diskMachineArguments(limited, { bytesPerSecond: 1000, operationsPerSecond: 10 })
  expect(values(args, '-object').map((text) => JSON.parse(text))).toEqual([
    { 'qom-type': 'throttle-group', id: 'disks', limits: { 'bps-total': 1000, 'iops-total': 10 } },
  ])
  expect(values(args, '-blockdev').map((text) => JSON.parse(text))).toMatchObject([
    { 'node-name': 'disk0', driver: 'throttle', 'throttle-group': 'disks', file: { driver: 'qcow2' } },
    { 'node-name': 'disk1', driver: 'raw' },
  ])
})

test('a GPU is passed through whole, and is the display where it has one', () => {
  const gpus = [
    { pciAddress: '0000:01:00.0', deviceClass: '0302', vfioGroup: '7' },
    { pciAddress: '0000:02:00.0', deviceClass: '0300', vfioGroup: '8' },
  ] as const
  const devices = values(diskMachineArguments({ ...shape, gpus: [...gpus] }), '-device')
  expect(devices).toContain('vfio-pci,host=0000:01:00.0,rombar=0')
  expect(devices).toContain('vfio-pci,host=0000:02:00.0,rombar=0,x-vga=on')
})

describe('a machine whose memory the host cannot read', () => {
  const sev: ConfidentialShape = {
    technology: 'sev',
    policy: 1,
    cbitpos: 51,
    reducedPhysBits: 1,
    firmware: '/OVMF.fd',
    session: { session: '/session.b64', dhCertificate: '/godh.b64' },
  }

  test('is launched by SEV with its owner’s session and a firmware that is measured', () => {
    const args = diskMachineArguments({ ...shape, confidential: sev })
    expect(values(args, '-machine')).toEqual(['q35,confidential-guest-support=sev0'])
    expect(values(args, '-object')).toEqual([
      'sev-guest,dh-cert-file=/godh.b64,session-file=/session.b64,id=sev0,cbitpos=51,reduced-phys-bits=1,policy=0x1',
    ])
    expect(values(args, '-drive')).toEqual(['if=pflash,format=raw,unit=0,readonly=on,file=/OVMF.fd'])
    expect(args).toContain('-no-reboot')
  })

  test('is launched by SEV-SNP with a policy and a firmware alone', () => {
    const { session: _none, ...snp } = { ...sev, technology: 'sev-snp' as const, policy: 0x30000 }
    const hostData = Buffer.alloc(32, 1).toString('base64')
    const args = diskMachineArguments({ ...shape, confidential: { ...snp, hostData } })
    expect(values(args, '-machine')).toEqual(['q35,confidential-guest-support=sev0,memory-backend=memory'])
    expect(values(args, '-object')).toEqual([
      'memory-backend-memfd,id=memory,size=256M,share=on',
      `sev-snp-guest,host-data=${hostData},id=sev0,cbitpos=51,reduced-phys-bits=1,policy=0x30000`,
    ])
    expect(confidentialCpu({ ...snp, vcpuType: 'EPYC-Genoa' })).toBe('EPYC-Genoa')
    expect(values(args, '-bios')).toEqual(['/OVMF.fd'])
  })
})
