import type { Accelerator, MachineShape } from '../hypervisor.ts'
import { confidentialCpu } from './confidential-machine.ts'
import { type DiskLimits, driveLimits } from './disk-limits.ts'
import { diskMachineArguments } from './disk-machine.ts'
import type { DescriptorSet } from './machine-files.ts'
import type { LaunchPaths } from './run-directory.ts'

/** How many devices a machine with one interrupt controller has places for; the channel's is one of them. */
const placesForDevices = 8

/** What QEMU is started with; file names are as QEMU shall open them. */
export interface QemuCommandLine {
  id: string
  accelerator: Exclude<Accelerator, 'none'>
  /** What it boots; null: its disk, or nothing, as it goes on from a snapshot. */
  boot: { kernel: string; initrd: string; commandLine: string } | null
  shape: MachineShape
  /** Descriptors to make sets of, for disks named `/dev/fdset/<n>`. */
  sets: DescriptorSet[]
  paths: LaunchPaths
  /** What its writable disks may do; absent: anything. */
  diskLimits?: DiskLimits
  /** Guest memory file: `shared` writes through to it, `private` is copy-on-write on top of it. */
  memory?: { path: string; mode: 'shared' | 'private' }
  /** Wait for a snapshot instead of beginning at the kernel. */
  incoming: boolean
  /** Wait even before the machine is made: `memory` and the files of its disks come over the control socket. */
  spare?: boolean
}

/** Part of every snapshot's key: bump it when a change alters the machine the guest sees, or who may open its memory. */
export const machineRevision = 4

/** Arguments of a machine without default devices, in a QEMU that can neither spawn nor gain rights. */
export function qemuArguments(line: QemuCommandLine): string[] {
  const { shape, paths } = line
  const args = [
    '-name',
    `aleph-vm-${line.id}`,
    '-nodefaults',
    '-no-user-config',
    '-display',
    'none',
    '-sandbox',
    'on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny',
    '-accel',
    line.accelerator,
    '-cpu',
    shape.confidential ? confidentialCpu(shape.confidential) : cpuModel(line.accelerator),
    '-smp',
    String(shape.vcpus),
    '-m',
    `${shape.memoryMiB}M`,
    '-pidfile',
    paths.pidFile,
    ...serverSocket('qmp', paths.qmp),
    '-mon',
    'chardev=qmp,mode=control',
    ...serverSocket('console', paths.console),
    '-serial',
    'chardev:console',
  ]
  for (const { set, descriptors } of line.sets) {
    for (const fd of descriptors) args.push('-add-fd', `fd=${fd},set=${set}`)
  }
  args.push(
    ...(shape.boots === 'disk' ? diskMachineArguments(shape, line.diskLimits) : microvmArguments(line)),
  )
  // A clone runs as soon as its state is loaded, although the machine that left it had been stopped.
  args.push('-global', 'migration.store-global-state=off')
  // A cold machine waits too, until the console is connected: not one line of its boot is lost.
  args.push(...(line.incoming ? ['-incoming', 'defer'] : ['-S']))
  if (line.spare) args.push('-preconfig')
  return args
}

/**
 * A machine with no network device (protocol 05 §21; the guest's only door is the `aleph.channel` port). It
 * ends when its kernel does.
 */
function microvmArguments({ shape, paths, memory, boot, diskLimits, spare }: QemuCommandLine): string[] {
  // The second interrupt controller brings places for 16 devices more, which take time to make.
  const ioapic2 = shape.disks.length < placesForDevices ? 'off' : 'on'
  const machine = `microvm,isa-serial=on,rtc=on,acpi=on,pit=on,pic=on,ioapic2=${ioapic2}`
  const args = [
    '-no-reboot',
    '-M',
    memory ? `${machine},memory-backend=memory` : machine,
    ...(boot ? ['-kernel', boot.kernel, '-initrd', boot.initrd, '-append', boot.commandLine] : []),
    '-device',
    'virtio-serial-device',
    ...serverSocket('channel', paths.channel),
    '-device',
    'virtserialport,chardev=channel,name=aleph.channel',
  ]
  if (memory) {
    const share = memory.mode === 'shared' ? 'on' : 'off'
    args.push(
      '-object',
      `memory-backend-file,id=memory,size=${shape.memoryMiB}M,mem-path=${escapeOption(memory.path)},share=${share}`,
    )
  }
  for (const disk of shape.disks) {
    const limits = disk.writable ? driveLimits(diskLimits) : ''
    const access = disk.writable ? 'off' : 'on'
    if (!spare) {
      args.push(
        '-drive',
        `id=${disk.serial},if=none,format=raw,readonly=${access},file=${escapeOption(disk.path)}${limits}`,
      )
    }
    args.push('-device', `virtio-blk-device,drive=${disk.serial},serial=${disk.serial}`)
  }
  return args
}

export function cpuModel(accelerator: Accelerator): string {
  return accelerator === 'kvm' ? 'host' : 'max'
}

/** QEMU splits option strings at commas; a comma in a value is written twice. */
export function escapeOption(value: string): string {
  return value.replaceAll(',', ',,')
}

function serverSocket(id: string, path: string): string[] {
  return ['-chardev', `socket,id=${id},path=${escapeOption(path)},server=on,wait=off`]
}
