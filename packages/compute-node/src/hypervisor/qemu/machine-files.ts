import { type FileHandle, open } from 'node:fs/promises'
import { HypervisorError, type LaunchRequest } from '../hypervisor.ts'

/** First descriptor after standard input, output and error. */
const firstDescriptor = 3

/** Descriptors of one file that QEMU chooses from by what it wants to do. */
export interface DescriptorSet {
  set: number
  descriptors: number[]
}

/** Files a machine needs, opened by us and inherited by QEMU. */
export interface MachineFiles {
  kernel: string
  initrd: string
  disks: { serial: string; path: string; writable?: boolean }[]
  /** Descriptors QEMU gets as sets, `/dev/fdset/<n>`: what it may write to. */
  sets: DescriptorSet[]
  memory?: { path: string; mode: 'shared' | 'private' }
  /** Group that may write the memory file. */
  memoryGroup?: number
  /** Descriptors to inherit, in order, from 3 on. */
  descriptors: number[]
  close(): Promise<void>
}

/**
 * Opens everything before QEMU drops to its own user: it then needs no right of way through the folders
 * above the files (`/proc/self/fd/<n>` asks for rights on the file alone).
 */
export async function openMachineFiles(
  request: LaunchRequest,
  images: { kernel: string; initrd: string },
  owner: { gid: number } | null,
): Promise<MachineFiles> {
  const handles: FileHandle[] = []
  const inherit = (handle: FileHandle) => {
    handles.push(handle)
    return `/proc/self/fd/${firstDescriptor + handles.length - 1}`
  }
  const close = async () => {
    await Promise.all(handles.map((handle) => handle.close()))
  }
  try {
    const kernel = inherit(await openImage(images.kernel))
    const initrd = inherit(await openImage(images.initrd))
    const disks: MachineFiles['disks'] = []
    const sets: DescriptorSet[] = []
    for (const { serial, path, writable } of request.shape.disks) {
      const reading = inherit(await openImage(path))
      if (!writable) disks.push({ serial, path: reading })
      else {
        // Opened by us, so that the file's rights need not change with QEMU's user; it reads before it writes.
        const reader = firstDescriptor + handles.length - 1
        inherit(await openImage(path, 'r+'))
        sets.push({ set: reader, descriptors: [reader, reader + 1] })
        disks.push({ serial, path: `/dev/fdset/${reader}`, writable })
      }
    }
    const files: MachineFiles = { kernel, initrd, disks, sets, descriptors: [], close }
    if (request.start.kind === 'restore') {
      const handle = await open(request.start.snapshot.memory, 'r+')
      files.memory = { path: inherit(handle), mode: 'private' }
      files.memoryGroup = (await handle.stat()).gid
    } else if (request.start.memory !== undefined) {
      const handle = await open(request.start.memory, 'wx+', 0o600)
      files.memory = { path: inherit(handle), mode: 'shared' }
      await handle.truncate(request.shape.memoryMiB * 1024 * 1024)
      if (owner) {
        await handle.chown(0, owner.gid)
        await handle.chmod(0o660)
        files.memoryGroup = owner.gid
      }
    }
    files.descriptors = handles.map((handle) => handle.fd)
    return files
  } catch (error) {
    await close()
    throw error
  }
}

async function openImage(path: string, flags: 'r' | 'r+' = 'r'): Promise<FileHandle> {
  try {
    return await open(path, flags)
  } catch (error) {
    throw new HypervisorError(
      'guest_images_missing',
      `cannot open ${path}: ${error instanceof Error ? error.message : String(error)}`,
      { cause: error },
    )
  }
}
