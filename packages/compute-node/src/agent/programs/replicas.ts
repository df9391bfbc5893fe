import type { ProgramSpec, RunningVm } from '../../supervisor/index.ts'
import type { VmHost } from '../vm-host.ts'

/** Whether several VMs of a program can run at once: a disk belongs to one at a time. */
export function mayRunBeside(spec: ProgramSpec): boolean {
  return !spec.volumes?.some(({ kind }) => kind === 'disk')
}

/** Starts a further VM of a program. Throws VmStartError. */
export async function startReplica(vms: VmHost, spec: ProgramSpec): Promise<RunningVm> {
  const taken = new Set(vms.replicas().map(({ id }) => id))
  let number = 2
  while (taken.has(`${spec.id}-${number}`)) number++
  const id = `${spec.id}-${number}`
  try {
    return await vms.ensureRunning({ ...spec, id, replicaOf: spec.id, kind: 'on-demand' })
  } catch (error) {
    await vms.destroy(id)
    throw error
  }
}
