import type { CapacityReport } from './capacity-report.ts'
import type { VmRequirements, VmResources } from './vm-requirements.ts'

/** Why a compute node has no room; in the order in which they are looked for (protocol 06 §8.3). */
export type CapacityReason = 'gpu' | 'vcpus' | 'memory' | 'disk'

interface Used {
  vcpus: number
  program: number
  instance: number
  disk: number
  gpus: Map<string, number>
}

/**
 * What is left on each compute node: what it reported, less what was assigned to it. Nodes without a report are not
 * counted: they refuse what they cannot carry.
 */
export class CapacityLedger {
  readonly #reports: ReadonlyMap<string, CapacityReport>
  readonly #used = new Map<string, Used>()

  /** @param reports newest report by node hash */
  constructor(reports: ReadonlyMap<string, CapacityReport>) {
    this.#reports = reports
  }

  /** Why a VM does not fit beside what was reserved on a node; null when it does. */
  refusal(nodeHash: string, { uses, gpus }: VmRequirements): CapacityReason | null {
    const report = this.#reports.get(nodeHash)
    if (!report) return null
    const { caps } = report
    const used = uses.isResident ? this.#of(nodeHash) : nothingUsed
    if (!hasGpus(report, used, gpus)) return 'gpu'
    if (used.vcpus + uses.vcpus > caps.vcpus) return 'vcpus'
    const memory = uses.pool === 'program' ? caps.program_memory_mib : caps.instance_memory_mib
    if (used[uses.pool] + uses.memoryMib > memory) return 'memory'
    if (used.disk + uses.diskMib > caps.disk_mib) return 'disk'
    return null
  }

  /** Takes what a VM needs, whether it fits or not: what runs, runs. */
  reserve(nodeHash: string, { uses, gpus }: VmRequirements): void {
    if (!uses.isResident || !this.#reports.has(nodeHash)) return
    const used = this.#of(nodeHash)
    used.vcpus += uses.vcpus
    used[uses.pool] += uses.memoryMib
    used.disk += uses.diskMib
    for (const gpu of gpus) used.gpus.set(gpu, (used.gpus.get(gpu) ?? 0) + 1)
  }

  /** Free resources of a node, at least zero; undefined without a report. */
  free(
    nodeHash: string,
  ):
    | (Omit<VmResources, 'pool' | 'isResident' | 'memoryMib'> &
        Record<'programMemoryMib' | 'instanceMemoryMib', number>)
    | undefined {
    const caps = this.#reports.get(nodeHash)?.caps
    if (!caps) return undefined
    const used = this.#of(nodeHash)
    return {
      vcpus: Math.max(0, caps.vcpus - used.vcpus),
      programMemoryMib: Math.max(0, caps.program_memory_mib - used.program),
      instanceMemoryMib: Math.max(0, caps.instance_memory_mib - used.instance),
      diskMib: Math.max(0, caps.disk_mib - used.disk),
    }
  }

  /** How many cards of each kind VMs have on a node, by device id. */
  cardsInUse(nodeHash: string): ReadonlyMap<string, number> {
    return this.#used.get(nodeHash)?.gpus ?? nothingUsed.gpus
  }

  #of(nodeHash: string): Used {
    const used = this.#used.get(nodeHash) ?? { vcpus: 0, program: 0, instance: 0, disk: 0, gpus: new Map() }
    this.#used.set(nodeHash, used)
    return used
  }
}

const nothingUsed: Used = { vcpus: 0, program: 0, instance: 0, disk: 0, gpus: new Map() }

function hasGpus(report: CapacityReport, used: Used, wanted: string[]): boolean {
  for (const gpu of new Set(wanted)) {
    const have = report.gpus
      .filter(({ device_id }) => device_id === gpu)
      .reduce((sum, { count }) => sum + count, 0)
    const need = wanted.filter((other) => other === gpu).length
    if ((used.gpus.get(gpu) ?? 0) + need > have) return false
  }
  return true
}
