import { execFile } from 'node:child_process'
import { type FileHandle, open } from 'node:fs/promises'
import { promisify } from 'node:util'
import { type ConfidentialShape, type DiskShape, HypervisorError, type LaunchRequest } from '../hypervisor.ts'

const run = promisify(execFile)

/** First descriptor after standard input, output and error. */
const firstDescriptor = 3

/** Descriptors of one file that QEMU chooses from by what it wants to do. */
export interface DescriptorSet {
  set: number
  descriptors: number[]
}

/** Files a machine needs, opened by us and inherited by QEMU. */
export interface MachineFiles {
  /** Null for machines that boot from their disk, or go on from a snapshot. */
  boot: { kernel: string; initrd: string } | null
  disks: DiskShape[]
  confidential?: ConfidentialShape
  /** Descriptors QEMU gets as sets, `/dev/fdset/<n>`: what it may write to. */
  sets: DescriptorSet[]
  memory?: { path: string; mode: 'shared' | 'private' }
  /** Descriptor, as QEMU inherits it, of the device state to begin from. */
  state?: number
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
  memoryGroup: number | null,
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
    // Reading a kernel takes longer than restoring a snapshot.
    const bootsKernel = request.shape.boots !== 'disk' && request.start.kind === 'cold'
    const boot = bootsKernel
      ? { kernel: inherit(await openImage(images.kernel)), initrd: inherit(await openImage(images.initrd)) }
      : null
    const sets: DescriptorSet[] = []
    // Opened by us, so that a file's rights need not change with QEMU's user.
    const asSet = async (path: string, ...flags: ('r' | 'r+')[]) => {
      const set = firstDescriptor + handles.length
      for (const flag of flags) inherit(await openImage(path, flag))
      sets.push({ set, descriptors: flags.map((_, index) => set + index) })
      return `/dev/fdset/${set}`
    }
    const disks: DiskShape[] = []
    for (const disk of request.shape.disks) {
      const { path, writable, backing } = disk
      disks.push({
        ...disk,
        // QEMU opens a disk for reading before it opens it for writing.
        path: writable ? await asSet(path, 'r', 'r+') : inherit(await openImage(path)),
        ...(backing && { backing: { ...backing, path: await asSet(backing.path, 'r') } }),
      })
    }
    const { confidential } = request.shape
    const launch = confidential && {
      ...confidential,
      firmware: inherit(await openImage(confidential.firmware)),
      ...(confidential.session && {
        session: {
          session: inherit(await openImage(confidential.session.session)),
          dhCertificate: inherit(await openImage(confidential.session.dhCertificate)),
        },
      }),
    }
    const files: MachineFiles = {
      boot,
      disks,
      sets,
      descriptors: [],
      close,
      ...(launch && { confidential: launch }),
    }
    const { start, shape } = request
    if (start.kind === 'restore') {
      files.state = firstDescriptor + handles.length
      inherit(await openImage(start.snapshot.state))
    }
    if (start.kind === 'restore' && start.memory === undefined) {
      const handle = await open(start.snapshot.memory, 'r+')
      files.memory = { path: inherit(handle), mode: 'private' }
      files.memoryGroup = (await handle.stat()).gid
    } else if (start.memory !== undefined) {
      if (start.kind === 'restore') await copySparse(start.snapshot.memory, start.memory)
      const handle = await open(start.memory, start.kind === 'restore' ? 'r+' : 'wx+', 0o600)
      files.memory = { path: inherit(handle), mode: 'shared' }
      await handle.truncate(shape.memoryMiB * 1024 * 1024)
      await shareMemory(handle, memoryGroup)
      if (memoryGroup !== null) files.memoryGroup = memoryGroup
    }
    files.descriptors = handles.map((handle) => handle.fd)
    return files
  } catch (error) {
    await close()
    throw error
  }
}

/** Lets the machines of this node write to the file, as far as they can reach it. */
export async function shareMemory(handle: FileHandle, memoryGroup: number | null): Promise<void> {
  if (memoryGroup === null) return
  await handle.chown(0, memoryGroup)
  await handle.chmod(0o660)
}

/** Copies what is there and leaves the holes; on file systems that can, by reference. */
export async function copySparse(from: string, to: string): Promise<void> {
  await run('cp', ['--reflink=auto', '--sparse=auto', '--no-preserve=mode,ownership', from, to])
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
