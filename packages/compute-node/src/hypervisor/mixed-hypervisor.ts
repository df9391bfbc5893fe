import type {
  ConfidentialSupport,
  Hypervisor,
  HypervisorCapabilities,
  LaunchRequest,
  Machine,
  MachineRecord,
} from './hypervisor.ts'

/** Programs in one hypervisor, machines that boot from their disk in QEMU. */
export class MixedHypervisor implements Hypervisor {
  readonly #programs: Hypervisor
  readonly #disks: Hypervisor

  constructor(programs: Hypervisor, disks: Hypervisor) {
    this.#programs = programs
    this.#disks = disks
  }

  /** What programs are run by. */
  async probe(): Promise<HypervisorCapabilities> {
    return this.#programs.probe()
  }

  confidential(sysfs: string): Promise<ConfidentialSupport> {
    return this.#disks.confidential(sysfs)
  }

  launch(request: LaunchRequest): Promise<Machine> {
    return request.shape.boots === 'disk' ? this.#disks.launch(request) : this.#programs.launch(request)
  }

  adopt(record: MachineRecord, onConsole: (chunk: Uint8Array) => void): Promise<Machine | null> {
    const owner = record.hypervisor === 'qemu' ? this.#disks : this.#programs
    return owner.adopt(record, onConsole)
  }

  async sweep(keep: MachineRecord[]): Promise<number> {
    return (await this.#programs.sweep(keep)) + (await this.#disks.sweep(keep))
  }

  async close(): Promise<void> {
    await Promise.all([this.#programs.close(), this.#disks.close()])
  }
}
