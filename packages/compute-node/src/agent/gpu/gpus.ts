import type { InstanceContent, ProgramContent, SettingsAggregate } from '@aleph-ts/protocol'
import type { NetworkSettings } from '../core-nodes/network-settings.ts'
import { AgentError } from '../errors.ts'
import type { VmHost } from '../vm-host.ts'
import { findGpus, type PciGpu } from './pci-gpus.ts'

/** How long a GPU is kept for who reserved it (protocol 05 §9.3). */
export const reservationSeconds = 60

export interface GpusOptions {
  enabled: boolean
  /** Root of the kernel's device tree. */
  sysfs: string
  settings: NetworkSettings
  vms: VmHost
}

/** A GPU as `/about/usage/system` tells it (protocol 05 §13). */
export interface GpuDescription {
  vendor: string
  model: string | null
  device_name: string
  device_class: string
  pci_host: string
  device_id: string
  compatible: boolean
}

type Content = Pick<InstanceContent | ProgramContent, 'address' | 'requirements'>

/** The host's GPUs, each of one VM at a time: found at the start, reserved by address, taken by starts. */
export class Gpus {
  readonly #options: GpusOptions
  #devices: PciGpu[] = []
  readonly #reserved = new Map<string, { address: string; until: number }>()
  /** Of VMs that are being started and not listed yet. */
  readonly #taken = new Map<string, PciGpu[]>()

  constructor(options: GpusOptions) {
    this.#options = options
  }

  async start(): Promise<void> {
    const { enabled, sysfs } = this.#options
    this.#devices = enabled ? await findGpus(sysfs) : []
  }

  /** All GPUs, and those no VM has. */
  async describe(): Promise<{ devices: GpuDescription[]; available_devices: GpuDescription[] }> {
    if (this.#devices.length === 0) return { devices: [], available_devices: [] }
    // Names are a courtesy: without the network's list GPUs are told by their ids.
    const settings = await this.#options.settings.published().catch(() => null)
    const describe = (gpu: PciGpu) => description(gpu, settings)
    const free = this.#devices.filter((gpu) => !this.#isInUse(gpu))
    return { devices: this.#devices.map(describe), available_devices: free.map(describe) }
  }

  /** Throws AgentError `gpu_unavailable` when what the message asks for is not free for its owner. */
  assertAvailable({ address, requirements }: Content): void {
    this.#pick(wantedIds(requirements), address)
  }

  /** Keeps the GPUs for this address for a minute. Throws AgentError `gpu_unavailable`. */
  reserve(address: string, requirements: Content['requirements']): void {
    const picked = this.#pick(wantedIds(requirements), address)
    this.#unreserve(address)
    const until = Date.now() / 1000 + reservationSeconds
    for (const { pciAddress } of picked) this.#reserved.set(pciAddress, { address, until })
  }

  /** GPUs for a VM that starts; `release` when it is listed or has failed. Throws AgentError `gpu_unavailable`. */
  take(hash: string, { address, requirements }: Content): { gpus: PciGpu[]; release: () => void } {
    const gpus = this.#pick(wantedIds(requirements), address)
    if (gpus.length > 0) {
      this.#taken.set(hash, gpus)
      this.#unreserve(address)
    }
    return { gpus, release: () => this.#taken.delete(hash) }
  }

  /** One device per wanted id. */
  #pick(ids: string[], address: string): PciGpu[] {
    const free = this.#devices.filter((gpu) => !this.#isInUse(gpu) && this.#isOpenTo(gpu, address))
    return ids.map((id) => {
      const index = free.findIndex(({ deviceId }) => deviceId === id)
      const [gpu] = index < 0 ? [] : free.splice(index, 1)
      if (gpu) return gpu
      const known = this.#devices.some(({ deviceId }) => deviceId === id)
      throw new AgentError('gpu_unavailable', known ? `No GPU ${id} is free` : `This node has no GPU ${id}`)
    })
  }

  #isInUse({ pciAddress }: PciGpu): boolean {
    const starting = [...this.#taken.values()].flat().some((gpu) => gpu.pciAddress === pciAddress)
    return starting || this.#options.vms.list().some((vm) => hasMachine(vm) && vm.gpus?.includes(pciAddress))
  }

  #isOpenTo({ pciAddress }: PciGpu, address: string): boolean {
    const reservation = this.#reserved.get(pciAddress)
    if (!reservation || reservation.until < Date.now() / 1000) return true
    return reservation.address.toLowerCase() === address.toLowerCase()
  }

  #unreserve(address: string): void {
    for (const [pciAddress, reservation] of this.#reserved) {
      if (reservation.address.toLowerCase() === address.toLowerCase()) this.#reserved.delete(pciAddress)
    }
  }
}

function hasMachine({ state }: { state: string }): boolean {
  return state !== 'stopped' && state !== 'failed'
}

function wantedIds(requirements: Content['requirements']): string[] {
  return (requirements?.gpu ?? []).map(({ device_id }) => device_id.toLowerCase())
}

function description(gpu: PciGpu, settings: SettingsAggregate | null): GpuDescription {
  const known = settings?.compatible_gpus.find(({ device_id }) => device_id === gpu.deviceId)
  return {
    vendor: gpu.vendor,
    model: known?.model ?? null,
    device_name: known?.name ?? gpu.deviceId,
    device_class: gpu.deviceClass,
    // As lspci prints it.
    pci_host: gpu.pciAddress.replace(/^0000:/, ''),
    device_id: gpu.deviceId,
    compatible: known !== undefined,
  }
}
