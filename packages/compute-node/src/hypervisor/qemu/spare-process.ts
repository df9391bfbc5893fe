import { chmod, link, mkdir, open, readFile, rm } from 'node:fs/promises'
import type { Socket } from 'node:net'
import { join } from 'node:path'
import type { MachineShape, MachineStart } from '../hypervisor.ts'
import { HypervisorError } from '../hypervisor.ts'
import { type HostProcess, identifyProcess, killProcess } from './host-process.ts'
import { copySparse, shareMemory } from './machine-files.ts'
import { loadDeviceState } from './migration.ts'
import { type QemuProcess, spawnQemu } from './qemu-process.ts'
import { QmpClient } from './qmp-client.ts'
import type { LaunchPaths } from './run-directory.ts'
import { connectSocket, connectWhenReady } from './socket-connect.ts'
import type { ProcessUser } from './unprivileged-user.ts'

const startTimeoutMs = 30_000

/** Descriptors that the process inherits: the folder of its files, the pipe of the device state. */
const inherited = { folder: 3, state: 4 } as const

/** A QEMU process that waits, before its machine is made, for the snapshot it shall go on from. */
export interface SpareProcess {
  launchId: string
  paths: LaunchPaths
  /** Where the files of its machine are linked to; nobody but this process gets there. */
  folder: string
  qemu: QemuProcess
  host: HostProcess
  qmp: QmpClient
  console: Socket
  channel: Socket
}

/** What a spare process is started with. */
export interface SpareLaunch {
  launchId: string
  paths: LaunchPaths
  folder: string
  args: string[]
  user: ProcessUser | null
}

/** Whether a snapshot of this shape can go on in a spare process: one that writes to no file but its memory. */
export function fitsSpare(shape: MachineShape): boolean {
  const { boots, disks, network, tap, gpus, confidential } = shape
  const plain = disks.every(({ writable, format, backing }) => !writable && format !== 'qcow2' && !backing)
  return boots !== 'disk' && plain && !network && !tap && !gpus && !confidential
}

/** Starts one; until it is given a snapshot it costs some 10 MiB and no time. */
export async function startSpare(launch: SpareLaunch): Promise<SpareProcess> {
  const { launchId, paths, folder, args, user } = launch
  // Others may pass through if they know a name, and the folder above lets nobody in.
  await mkdir(folder, { recursive: true, mode: 0o711 })
  await chmod(join(folder, '..'), 0o700)
  const files = await open(folder)
  let qemu: QemuProcess
  try {
    qemu = await spawnQemu(args, user, [files.fd, 'pipe'])
  } finally {
    await files.close()
  }
  const host = await identifyProcess(qemu.pid)
  if (!host) throw new HypervisorError('hypervisor_failed', 'QEMU ended at once')
  try {
    const socket = await connectWhenReady(paths.qmp, startTimeoutMs, () => qemu.assertRunning())
    const qmp = await QmpClient.connect(paths.qmp, socket)
    const [console, channel] = await Promise.all([connectSocket(paths.console), connectSocket(paths.channel)])
    for (const end of [console, channel]) end.on('error', () => {})
    qemu.letGo()
    return { launchId, paths, folder, qemu, host, qmp, console, channel }
  } catch (error) {
    await killProcess(host)
    throw error
  }
}

/** Has the process make its machine and go on with the snapshot. */
export async function restoreInSpare(
  spare: SpareProcess,
  shape: MachineShape,
  start: Extract<MachineStart, { kind: 'restore' }>,
  memoryGroup: number | null,
): Promise<void> {
  const { snapshot, memory } = start
  if (memory !== undefined) {
    await copySparse(snapshot.memory, memory)
    await using handle = await open(memory, 'r+')
    await shareMemory(handle, memoryGroup)
  }
  const [state] = await Promise.all([
    readFile(snapshot.state),
    link(memory ?? snapshot.memory, join(spare.folder, 'memory')),
    ...shape.disks.map(({ serial, path }) => link(path, join(spare.folder, serial))),
  ])
  const path = (name: string) => `/proc/self/fd/${inherited.folder}/${name}`
  const { qmp, qemu } = spare
  const made = Promise.all([
    qmp.execute('object-add', {
      'qom-type': 'memory-backend-file',
      id: 'memory',
      size: shape.memoryMiB * 1024 * 1024,
      'mem-path': path('memory'),
      share: memory !== undefined,
    }),
    qmp.execute('qom-set', { path: '/machine', property: 'memory-backend', value: 'memory' }),
    ...shape.disks.map(({ serial }) =>
      qmp.execute('blockdev-add', {
        driver: 'raw',
        'node-name': serial,
        'read-only': true,
        file: { driver: 'file', filename: path(serial) },
      }),
    ),
    qmp.execute('x-exit-preconfig'),
  ])
  const [pipe] = qemu.pipes
  if (!pipe) throw new HypervisorError('hypervisor_failed', 'a spare process has no pipe for its state')
  await Promise.all([made, loadDeviceState(qmp, inherited.state), pipe.end(state)])
  await rm(spare.folder, { recursive: true, force: true })
}

/** Ends a process that was given nothing, or was not content with it. */
export async function endSpare({ host, qmp, console, channel, folder }: SpareProcess): Promise<void> {
  await killProcess(host)
  qmp.close()
  console.destroy()
  channel.destroy()
  await rm(folder, { recursive: true, force: true })
}
