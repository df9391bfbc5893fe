import type { KernelFiles } from '@aleph-ts/guest'
import type { MachineShape } from '../hypervisor.ts'

/** What a guest boots from; `GuestImages` of the guest package fits. */
export interface BootImages extends KernelFiles {
  /** What machines with one vCPU boot instead. */
  lean?: KernelFiles | null
  /** Changes with the content of the files. */
  key: string
}

/** What a machine of this shape boots: the lean kernel knows one processor. */
export function kernelFor({ vcpus }: MachineShape, images: BootImages): KernelFiles {
  return (vcpus === 1 && images.lean) || images
}
