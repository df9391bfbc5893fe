import { VmStartError } from './vm-errors.ts'

/** What VMs may use together. */
export interface CapacityBudget {
  memoryMiB: number
  /** May exceed the processors of the host: functions are mostly idle. */
  vcpus: number
}

/** Counts what running and starting VMs use against the budget. */
export class Capacity {
  readonly budget: CapacityBudget
  readonly #used = { memoryMiB: 0, vcpus: 0 }

  constructor(budget: CapacityBudget) {
    this.budget = budget
  }

  get used(): Readonly<CapacityBudget> {
    return { ...this.#used }
  }

  /**
   * Takes a share and returns the function that gives it back (once; later calls do nothing).
   *
   * @throws VmStartError `insufficient_capacity`.
   */
  take(wanted: CapacityBudget): () => void {
    for (const resource of ['memoryMiB', 'vcpus'] as const) {
      const free = this.budget[resource] - this.#used[resource]
      if (wanted[resource] > free) {
        throw new VmStartError(
          'insufficient_capacity',
          `the VM needs ${wanted[resource]} ${resource}, of the node's ${this.budget[resource]} only ${free} are free`,
        )
      }
    }
    return this.takeAnyway(wanted)
  }

  /** Like `take` for a VM that runs already: counts even beyond the budget. */
  takeAnyway(wanted: CapacityBudget): () => void {
    this.#used.memoryMiB += wanted.memoryMiB
    this.#used.vcpus += wanted.vcpus
    let held = true
    return () => {
      if (!held) return
      held = false
      this.#used.memoryMiB -= wanted.memoryMiB
      this.#used.vcpus -= wanted.vcpus
    }
  }
}
