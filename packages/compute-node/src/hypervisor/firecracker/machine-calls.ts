import { HypervisorError, type MachineShape } from '../hypervisor.ts'
import type { ApiCall } from './api-client.ts'

/** Context id of every guest on its own vsock. */
const guestCid = 3
const mostVcpus = 32

/**
 * Names of a machine's files in its folder, which it sees as its root: a snapshot holds them, so they are the same for
 * every machine.
 */
export const machineFiles = {
  kernel: 'kernel',
  initrd: 'initrd',
  vsock: 'v.sock',
  api: 'api.socket',
  memory: 'memory',
  state: 'state',
  disk: (serial: string) => `disk-${serial}`,
} as const

/**
 * Calls that make a machine of this shape and start it (protocol 05 §6.4). No network and no balloon: the guest's only
 * door is its vsock, and memory is its own.
 *
 * @throws HypervisorError for what Firecracker cannot be
 */
export function startCalls(shape: MachineShape, kernelCommandLine: string): ApiCall[] {
  assertPossible(shape)
  const { kernel, initrd, vsock, disk } = machineFiles
  const drives = shape.disks.map(({ serial, writable = false }): ApiCall => {
    const drive = {
      drive_id: serial,
      path_on_host: disk(serial),
      is_root_device: false,
      is_read_only: !writable,
    }
    return { method: 'PUT', path: `/drives/${serial}`, body: drive }
  })
  return [
    {
      method: 'PUT',
      path: '/boot-source',
      body: {
        kernel_image_path: kernel,
        initrd_path: initrd,
        boot_args: bootArguments(shape, kernelCommandLine),
      },
    },
    {
      method: 'PUT',
      path: '/machine-config',
      body: { vcpu_count: shape.vcpus, mem_size_mib: shape.memoryMiB, smt: false },
    },
    ...drives,
    { method: 'PUT', path: '/vsock', body: { guest_cid: guestCid, uds_path: vsock } },
    { method: 'PUT', path: '/actions', body: { action_type: 'InstanceStart' } },
  ]
}

/**
 * A reset ends Firecracker, and only the keyboard controller can cause one. Its disks have serials of its own making,
 * so the guest is told their names in the order of their slots.
 */
function bootArguments({ disks }: MachineShape, kernelCommandLine: string): string {
  const names = disks.map(({ serial }) => serial).join(',')
  return `${kernelCommandLine} reboot=k panic=1 pci=off aleph.disks=${names}`
}

/** Loads the snapshot in the machine's folder, its memory shared with other machines page by page, and goes on. */
export function restoreCalls(): ApiCall[] {
  const { state, memory } = machineFiles
  const backend = { backend_type: 'File', backend_path: memory }
  const body = { snapshot_path: state, mem_backend: backend, resume_vm: true }
  return [{ method: 'PUT', path: '/snapshot/load', body }]
}

/** Pauses the machine and writes its state and its memory under these names. It stays paused. */
export function snapshotCalls(state: string, memory: string): ApiCall[] {
  const body = { snapshot_type: 'Full', snapshot_path: state, mem_file_path: memory }
  return [stateCall('Paused'), { method: 'PUT', path: '/snapshot/create', body }]
}

export function stateCall(state: 'Paused' | 'Resumed'): ApiCall {
  return { method: 'PATCH', path: '/vm', body: { state } }
}

/** What Firecracker has for a power button. */
export const powerButtonCall: ApiCall = {
  method: 'PUT',
  path: '/actions',
  body: { action_type: 'SendCtrlAltDel' },
}

function assertPossible(shape: MachineShape): void {
  const problem =
    shape.boots === 'disk'
      ? 'machines that boot from their disk'
      : shape.disks.some(({ format }) => format === 'qcow2')
        ? 'qcow2 disks'
        : shape.vcpus > mostVcpus || (shape.vcpus > 1 && shape.vcpus % 2 === 1)
          ? `${shape.vcpus} virtual processors; take 1 or an even number up to ${mostVcpus}`
          : null
  if (problem) throw new HypervisorError('hypervisor_failed', `Firecracker has no ${problem}`)
}
