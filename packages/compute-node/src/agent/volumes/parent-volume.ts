import { chmod, truncate } from 'node:fs/promises'
import { AgentError } from '../errors.ts'
import { assertSelfContained, diskBytes, isQcow2 } from './disk-image.ts'
import { runTool, type VolumeStore, volumeFileName } from './volume-store.ts'

const MIB = 1024 * 1024

export interface ParentVolume {
  name: string
  sizeMiB: number
  /** Path of the verified file that the disk begins as, raw or qcow2; asked for only when there is no disk yet. */
  fetch: () => Promise<string>
  /** Refuses what the guest could not use. Throws AgentError. */
  check?: (path: string, name: string) => Promise<void>
}

/**
 * Path of a VM's volume that begins as a published image (protocol 05 §6.8): a whole copy, so that nothing of the
 * parent's headers is left and the disk needs no other file, grown to its size. Its file system is the guest's to grow:
 * no tool of the host looks into it. An existing volume stays as it is, whatever became of the parent.
 *
 * Throws AgentError `broken_archive`, `invalid_program`, `build_failed`, `not_enough_disk`, and those of `fetch`.
 */
export function volumeOverParent(store: VolumeStore, vm: string, volume: ParentVolume): Promise<string> {
  const { name, sizeMiB, fetch, check } = volume
  return store.file(vm, volumeFileName(name), async (part) => {
    const parent = await fetch()
    const format = (await isQcow2(parent)) ? 'qcow2' : 'raw'
    if (format === 'qcow2') await assertSelfContained(parent)
    const least = Math.ceil((await diskBytes(parent, format)) / MIB)
    if (least > sizeMiB) {
      const problem = `its size_mib is ${sizeMiB}, and its parent needs at least ${least}`
      throw new AgentError('invalid_program', `The volume "${name}" is too small: ${problem}`)
    }
    await runTool('qemu-img', ['convert', '-f', format, '-O', 'raw', parent, part], 'qemu-utils')
    await chmod(part, 0o600)
    await check?.(part, name)
    await truncate(part, sizeMiB * MIB)
  })
}
