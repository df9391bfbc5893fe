import type { DiskShape, Forward, MachineShape } from '../hypervisor.ts'
import { confidentialArguments } from './confidential-machine.ts'
import { type DiskLimits, diskLimitArguments, limitedNode } from './disk-limits.ts'

/** Name of the one network of a machine that boots from its disk. */
export const networkId = 'net0'

/**
 * Arguments of an ordinary PC that boots from its first disk (protocol 05 §7.4, §21.4). Its network is a tap
 * of the host's or QEMU's own: there, without outbound connections, the guest reaches nothing, and is reached at the
 * forwarded ports alone.
 */
export function diskMachineArguments(shape: MachineShape, limits?: DiskLimits): string[] {
  const { machine, args: special } = shape.confidential
    ? confidentialArguments(shape.confidential, shape.memoryMiB)
    : { machine: 'q35', args: [] }
  const args = ['-machine', machine, ...special, '-device', 'virtio-rng-pci', ...diskLimitArguments(limits)]
  shape.disks.forEach((disk, index) => {
    const node = `disk${index}`
    const boot = index === 0 ? ',bootindex=0' : ''
    const plain = blockNode(node, disk)
    args.push('-blockdev', JSON.stringify(limits && disk.writable ? limitedNode(plain) : plain))
    args.push('-device', `virtio-blk-pci,drive=${node},serial=${disk.serial}${boot}`)
  })
  const { network, tap } = shape
  if (tap) {
    // Nothing but opening the tap is QEMU's to do: no script sets it up.
    args.push('-netdev', `tap,id=${networkId},ifname=${tap.name},script=no,downscript=no`)
    args.push('-device', `virtio-net-pci,netdev=${networkId},mac=${tap.mac},romfile=`)
  }
  for (const { pciAddress, deviceClass } of shape.gpus ?? []) {
    const display = deviceClass === '0300' ? ',x-vga=on' : ''
    args.push('-device', `vfio-pci,host=${pciAddress},rombar=0${display}`)
  }
  if (!network) return args
  const options = ['user', `id=${networkId}`, `restrict=${network.outbound ? 'off' : 'on'}`]
  for (const { rule } of forwardRules(network.forwardHost, network.forwards)) options.push(`hostfwd=${rule}`)
  // An empty ROM: nobody boots from this network.
  args.push('-netdev', options.join(','), '-device', `virtio-net-pci,netdev=${networkId},romfile=`)
  return args
}

/** Forwarded ports as QEMU writes them: `tcp:127.0.0.1:24000-:22`. */
export function forwardRules(host: string, forwards: readonly Forward[]): { listen: string; rule: string }[] {
  return forwards.flatMap((forward) => {
    const protocols = [forward.tcp && 'tcp', forward.udp && 'udp'].filter((name) => name !== false)
    return protocols.map((protocol) => {
      const listen = `${protocol}:${host}:${forward.host}`
      return { listen, rule: `${listen}-:${forward.guest}` }
    })
  })
}

/** Formats are always named: QEMU guessing one from content would let a guest choose it. */
function blockNode(name: string, { path, format = 'raw', writable = false, backing }: DiskShape) {
  const discard = writable ? { discard: 'unmap' } : {}
  return {
    'node-name': name,
    driver: format,
    'read-only': !writable,
    ...discard,
    file: { driver: 'file', filename: path, 'read-only': !writable, ...discard },
    ...(backing && {
      backing: {
        driver: backing.format,
        'read-only': true,
        file: { driver: 'file', filename: backing.path, 'read-only': true },
        ...(backing.format === 'qcow2' && { backing: null }),
      },
    }),
  }
}
