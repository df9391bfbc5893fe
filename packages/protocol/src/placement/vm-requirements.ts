import type { InstanceContent } from '../content/instance.ts'
import type { ProgramContent } from '../content/program.ts'
import type { VProgramContent } from '../content/v-program.ts'

/** What a VM asks of the node it runs on. Null or empty: no demand. */
export interface VmRequirements {
  /** The one compute node its owner chose. */
  nodeHash: string | null
  /** Owner of the compute node. */
  nodeOwner: string | null
  /** Terms its owner accepted, by item hash. */
  termsAndConditions: string | null
  /** Who a stream of payment goes to. */
  streamReceiver: string | null
  /** The chain it flows on. */
  streamChain: string | null
  /** A pattern for the node's URL. */
  addressPattern: string | null
  architecture: 'x86_64' | 'arm64' | null
  cpuVendor: string | null
  cpuFeatures: string[]
  hypervisor: 'qemu' | 'firecracker' | null
  /** How it must be kept from its host. */
  confidential: 'sev' | 'sev_snp' | 'tdx' | null
  /** Processor types its measurements were made for, one of which the node must offer. */
  teeVcpuTypes: string[]
  /** PCI ids, `vendor:device`, one a card. */
  gpus: string[]
  uses: VmResources
}

/** What a VM takes away from a node as long as it is there. */
export interface VmResources {
  vcpus: number
  memoryMib: number
  diskMib: number
  /** Whose memory it takes: nodes keep apart what they give to programs and to instances. */
  pool: 'program' | 'instance'
  /** A function that nobody calls takes nothing; it still has to fit. */
  isResident: boolean
}

export const noRequirements: VmRequirements = {
  nodeHash: null,
  nodeOwner: null,
  termsAndConditions: null,
  streamReceiver: null,
  streamChain: null,
  addressPattern: null,
  architecture: null,
  cpuVendor: null,
  cpuFeatures: [],
  hypervisor: null,
  confidential: null,
  teeVcpuTypes: [],
  gpus: [],
  uses: { vcpus: 0, memoryMib: 0, diskMib: 0, pool: 'program', isResident: true },
}

/** The placement requirements that an executable's content states (protocol 01 §6.10, 06 §8.3). */
export function vmRequirements(content: ProgramContent | InstanceContent | VProgramContent): VmRequirements {
  const node = content.requirements?.node
  const cpu = content.requirements?.cpu
  return {
    nodeHash: node?.node_hash ?? null,
    nodeOwner: node?.owner ?? null,
    termsAndConditions: node?.terms_and_conditions ?? null,
    streamReceiver: content.payment?.type === 'superfluid' ? (content.payment.receiver ?? null) : null,
    streamChain: content.payment?.type === 'superfluid' ? content.payment.chain : null,
    addressPattern: node?.address_regex ?? null,
    architecture: cpu?.architecture ?? null,
    cpuVendor: cpu?.vendor ?? null,
    cpuFeatures: cpu?.features ?? [],
    hypervisor: hypervisorOf(content),
    ...confidentialityOf(content),
    gpus: gpusOf(content),
    uses: resourcesOf(content),
  }
}

function hypervisorOf(content: ProgramContent | InstanceContent | VProgramContent) {
  if ('workload' in content) return 'qemu'
  const named = 'hypervisor' in content.environment ? content.environment.hypervisor : null
  return named ?? ('rootfs' in content ? 'qemu' : null)
}

function confidentialityOf(content: ProgramContent | InstanceContent | VProgramContent) {
  if ('workload' in content) {
    const { backend, measurements } = content.verification
    return { confidential: backend, teeVcpuTypes: vcpuTypes(measurements) }
  }
  const tee = 'trusted_execution' in content.environment ? content.environment.trusted_execution : null
  if (!tee) return { confidential: null, teeVcpuTypes: [] }
  return { confidential: tee.mode ?? 'sev', teeVcpuTypes: vcpuTypes(tee.measurements ?? []) }
}

function vcpuTypes(measurements: { vcpu_type: string | null }[]): string[] {
  return measurements.flatMap(({ vcpu_type }) => vcpu_type ?? [])
}

function gpusOf(content: ProgramContent | InstanceContent | VProgramContent): string[] {
  if ('workload' in content) {
    const { gpu } = content
    const model = gpu?.models?.[0]
    return gpu && model ? Array<string>(gpu.count).fill(model) : []
  }
  return (content.requirements?.gpu ?? []).map((gpu) => gpu.device_id)
}

function resourcesOf(content: ProgramContent | InstanceContent | VProgramContent): VmResources {
  const { vcpus, memory } = content.resources
  return {
    vcpus,
    memoryMib: memory,
    diskMib: 'workload' in content ? 0 : diskMib(content),
    pool: 'code' in content ? 'program' : 'instance',
    isResident: !('code' in content) || content.on.persistent === true,
  }
}

function diskMib(content: ProgramContent | InstanceContent): number {
  const rootfs = 'rootfs' in content ? content.rootfs.size_mib : 0
  return content.volumes.reduce((sum, volume) => sum + ('size_mib' in volume ? volume.size_mib : 0), rootfs)
}
