import type { Duplex } from 'node:stream'
import type { GuestLink, MachineShape } from '../hypervisor/index.ts'
import type { ProgramSpec } from './vm-spec.ts'

/** Where the program listens, as the guest's channel names it. */
export const programDestination = 'tcp:8080'

/** What a guest asks its node for: the internet, or the node's own API (protocol 05 §6.9). */
export type GuestService = 'egress' | 'api'

/** Takes a stream that a guest opened; of a replica in the name of its program's first VM. */
export type OnGuestStream = (vmId: string, service: GuestService, stream: Duplex) => void

/**
 * Whether starts may begin from a snapshot. A persistent VM goes on from where its program is; and a disk
 * that was written to does not fit a memory that remembers it otherwise.
 */
export function maySnapshot(spec: ProgramSpec): boolean {
  return spec.kind === 'on-demand' && !spec.volumes?.some(({ kind }) => kind === 'disk')
}

/** The machine a program needs: its runtime, its code, and a disk per volume that is not memory. */
export function machineShape(spec: ProgramSpec): MachineShape {
  const volumes = (spec.volumes ?? []).flatMap((volume, index) => {
    const serial = volumeSerial(index)
    if (volume.kind === 'image') return [{ serial, path: volume.image.path }]
    return volume.kind === 'disk' ? [{ serial, path: volume.path, writable: true }] : []
  })
  return {
    vcpus: spec.vcpus,
    memoryMiB: spec.memoryMiB,
    disks: [
      { serial: 'runtime', path: spec.runtime.path },
      { serial: 'code', path: spec.code.path },
      ...volumes,
    ],
  }
}

/** Fields of the guest's `configure`. */
export function configuration(spec: ProgramSpec): Record<string, string | string[]> {
  const fields: Record<string, string | string[]> = { hostname: spec.hostname }
  for (const [name, value] of Object.entries({ ...spec.runtime.env, ...spec.env })) {
    fields[`env.${name}`] = value
  }
  const { entrypoint, args = [] } = spec
  // Without a command of its own the runtime is the entrypoint itself; the guest finds it in /code.
  if (spec.runtime.command.length > 0) fields.cmd = [...spec.runtime.command, entrypoint, ...args]
  else if (args.length === 0) fields.entrypoint = entrypoint
  else fields.cmd = [entrypoint.startsWith('/') ? entrypoint : `/code/${entrypoint}`, ...args]
  if (spec.internet) fields.internet = '1'
  spec.volumes?.forEach((volume, index) => {
    const serial = volumeSerial(index)
    if (volume.kind === 'memory') {
      fields[`mount.${index}`] = `tmpfs:${volume.mount}:tmpfs:${volume.sizeMiB}`
    } else if (volume.kind === 'disk') {
      fields[`mount.${index}`] = `${serial}:${volume.mount}:ext4:${volume.grows ? 'grow' : 'rw'}`
    } else {
      const mode = volume.copyOnWrite ? 'cow' : 'ro'
      fields[`mount.${index}`] = `${serial}:${volume.mount}:${volume.fileSystem}:${mode}`
    }
  })
  // After the mounts: its socket is in /tmp, where a volume may be.
  fields.api = '1'
  return fields
}

/** Gives the guest's outgoing streams to the node, or refuses them. */
export function serveGuestStreams(
  link: GuestLink,
  spec: { id: string; replicaOf?: string; internet: boolean },
  onGuestStream: OnGuestStream,
): void {
  const program = spec.replicaOf ?? spec.id
  link.onStream((destination, stream) => {
    if (destination === 'egress' && spec.internet) onGuestStream(program, 'egress', stream)
    else if (destination === 'api') onGuestStream(program, 'api', stream)
    else stream.destroy()
  })
}

function volumeSerial(index: number): string {
  return `volume${index}`
}
