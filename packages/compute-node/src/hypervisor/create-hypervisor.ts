import { access, constants } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import type { Logger } from 'pino'
import { FakeHypervisor } from './fake/fake-hypervisor.ts'
import { FirecrackerHypervisor } from './firecracker/firecracker-hypervisor.ts'
import { type Hypervisor, HypervisorError } from './hypervisor.ts'
import { MixedHypervisor } from './mixed-hypervisor.ts'
import type { BootImages } from './qemu/boot-images.ts'
import { MachineCgroups } from './qemu/cgroup.ts'
import type { DiskLimits } from './qemu/disk-limits.ts'
import { QemuHypervisor } from './qemu/qemu-hypervisor.ts'
import { planUsers } from './qemu/unprivileged-user.ts'

/** `auto` is Firecracker where a guest boots under it, else QEMU, which itself decides between KVM and software. */
export type HypervisorChoice = 'auto' | 'qemu' | 'firecracker' | 'fake'

interface HypervisorOptions {
  dataDir: string
  images: BootImages | null
  cgroup?: string | null
  diskLimits?: DiskLimits | null
  spareProcesses?: number
  log: Logger
}

/**
 * The hypervisor an operator chose; `images` may be null for the fake only. Instances run in QEMU in any case.
 *
 * @throws HypervisorError when there are no images, or no guest boots under the Firecracker that was asked for
 */
export async function createHypervisor(
  choice: HypervisorChoice,
  options: HypervisorOptions,
): Promise<Hypervisor> {
  const { images, log } = options
  if (choice === 'fake') return new FakeHypervisor()
  if (!images) {
    throw new HypervisorError(
      'guest_images_missing',
      'there are no guest images; build them first, or set ALEPH_VM_GUEST_IMAGES_DIR to where they are',
    )
  }
  const qemu = await QemuHypervisor.create({ ...options, images })
  if (choice === 'qemu') return qemu
  try {
    const firecracker = await createFirecracker({ ...options, images })
    await firecracker.probe()
    return new MixedHypervisor(firecracker, qemu)
  } catch (error) {
    if (choice === 'firecracker') throw error
    const isMissing = error instanceof HypervisorError && error.code === 'hypervisor_missing'
    if (!isMissing) log.warn({ err: error }, 'no guest boots under Firecracker here; taking QEMU')
    return qemu
  }
}

/** As root every machine has a jail and a user of its own. */
async function createFirecracker(options: HypervisorOptions & { images: BootImages }) {
  const { dataDir, images, cgroup, log } = options
  const isRoot = process.getuid?.() === 0
  return new FirecrackerHypervisor({
    dataDir,
    images,
    cgroups: cgroup ? await MachineCgroups.open(cgroup) : null,
    users: await planUsers(),
    binary: await executable('firecracker'),
    jailer: isRoot ? await executable('jailer') : null,
    log,
  })
}

/** Path of a program; the jailer takes no names. */
async function executable(name: string): Promise<string> {
  for (const folder of (process.env.PATH ?? '').split(delimiter)) {
    const path = join(folder, name)
    if (folder !== '' && (await isExecutable(path))) return path
  }
  throw new HypervisorError('hypervisor_missing', `${name} is not installed`)
}

function isExecutable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  )
}
