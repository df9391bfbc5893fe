import { statfs } from 'node:fs/promises'
import type { InstanceContent, ProgramContent } from '@aleph-ts/protocol'
import type { VmHost } from '../vm-host.ts'

type Executable = ProgramContent | InstanceContent

const MIB = 1024 * 1024

/** What one VM needs; MiB. */
export interface Needs {
  memoryMiB: number
  vcpus: number
  diskMiB: number
}

export interface AdmissionOptions {
  vms: VmHost
  dataDir: string
  /** Bytes that disks of VMs may still grow by. */
  promisedBytes: () => Promise<number>
}

/**
 * Whether the node has room for one more VM (protocol 05 §14). Memory and processors count what runs, disk
 * what is free minus what running VMs may still write.
 */
export class Admission {
  readonly #options: AdmissionOptions

  constructor(options: AdmissionOptions) {
    this.#options = options
  }

  /** Why the VM does not fit, for the node's log; null when it does. */
  async refusal(content: Executable): Promise<string | null> {
    return (await this.trial()).take(content)
  }

  /** Counts VMs that are only thought of against what is free now. */
  async trial(): Promise<{ take(content: Executable): string | null }> {
    const free = await this.#free()
    return {
      take: (content) => {
        const needs = needsOf(content)
        for (const resource of ['memoryMiB', 'vcpus', 'diskMiB'] as const) {
          if (needs[resource] > free[resource]) {
            return `it needs ${needs[resource]} ${resource}, ${Math.max(0, free[resource])} are free`
          }
        }
        for (const resource of ['memoryMiB', 'vcpus', 'diskMiB'] as const) free[resource] -= needs[resource]
        return null
      },
    }
  }

  async figures() {
    const { budget, used } = this.#options.vms.capacity
    const { diskMiB } = await this.#free()
    return {
      memory_mib: { total: budget.memoryMiB, used: used.memoryMiB },
      vcpus: { total: budget.vcpus, used: used.vcpus },
      disk_mib: { free: Math.max(0, diskMiB) },
    }
  }

  async #free(): Promise<Needs> {
    const { vms, dataDir, promisedBytes } = this.#options
    const { budget, used } = vms.capacity
    const disk = await statfs(dataDir)
    const diskBytes = disk.bavail * disk.bsize - (await promisedBytes())
    return {
      memoryMiB: budget.memoryMiB - used.memoryMiB,
      vcpus: budget.vcpus - used.vcpus,
      diskMiB: Math.floor(diskBytes / MIB),
    }
  }
}

/** What a message asks for; immutable volumes cost no disk of their own. */
export function needsOf(content: Executable): Needs {
  const volumes = (content.volumes ?? []).reduce(
    (sum, volume) => sum + (volume.kind === 'persistent' ? volume.size_mib : 0),
    0,
  )
  const rootfs = 'rootfs' in content ? content.rootfs.size_mib : 0
  const { memory, vcpus } = content.resources
  return { memoryMiB: memory, vcpus, diskMiB: rootfs + volumes }
}
