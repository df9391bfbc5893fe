import type { Logger } from 'pino'
import { FakeHypervisor } from './fake/fake-hypervisor.ts'
import { type Hypervisor, HypervisorError } from './hypervisor.ts'
import { type BootImages, QemuHypervisor } from './qemu/qemu-hypervisor.ts'

/** `auto` is QEMU, which itself decides between KVM and software emulation. */
export type HypervisorChoice = 'auto' | 'qemu' | 'fake'

/** The hypervisor an operator chose; `images` may be null for the fake only. */
export async function createHypervisor(
  choice: HypervisorChoice,
  options: { dataDir: string; images: BootImages | null; cgroup?: string | null; log: Logger },
): Promise<Hypervisor> {
  if (choice === 'fake') return new FakeHypervisor()
  if (!options.images) {
    throw new HypervisorError(
      'guest_images_missing',
      'there are no guest images; build them first, or set ALEPH_VM_GUEST_IMAGES_DIR to where they are',
    )
  }
  return QemuHypervisor.create({ ...options, images: options.images })
}
