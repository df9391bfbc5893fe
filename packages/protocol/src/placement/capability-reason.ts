import { isPublicIp } from '../internet/public-ip.ts'
import type { CapacityReport } from './capacity-report.ts'
import type { PlacementPolicy } from './placement-policy.ts'
import type { VmRequirements } from './vm-requirements.ts'

/** What a compute node lacks for good; in the order in which it is looked for (protocol 06 §8.3). */
export type CapabilityReason =
  | 'no_report'
  | 'ipv6_pool'
  | 'arch'
  | 'cpu_vendor'
  | 'cpu_features'
  | 'hypervisor'
  | 'confidential'
  | 'tee_vcpu_type'

/** The processor that confidential VMs are measured for when their message names none. */
const usualTeeVcpuType = 'EPYC'

/** Why a node cannot run a VM, however empty it is. A node that reported nothing runs what asks nothing special. */
export function capabilityReason(
  report: CapacityReport | undefined,
  demand: VmRequirements,
  { requiresIpv6Pool = false }: Partial<Pick<PlacementPolicy, 'requiresIpv6Pool'>> = {},
): CapabilityReason | null {
  if (!report) return requiresIpv6Pool || isSpecial(demand) ? 'no_report' : null
  if (requiresIpv6Pool && !hasPublicPool(report)) return 'ipv6_pool'
  if (demand.architecture !== null && demand.architecture !== architectureOf(report)) return 'arch'
  if (demand.cpuVendor !== null && demand.cpuVendor.toLowerCase() !== report.vendor.toLowerCase()) {
    return 'cpu_vendor'
  }
  if (!demand.cpuFeatures.every((feature) => report.features.includes(feature))) return 'cpu_features'
  if (demand.hypervisor !== null && !report.hypervisors.includes(demand.hypervisor)) return 'hypervisor'
  return confidentialReason(report, demand)
}

/** Whether a node's VMs have addresses that the internet can reach (protocol 05 §8.2). */
export function hasPublicPool({ ipv6_pool = '' }: Pick<CapacityReport, 'ipv6_pool'>): boolean {
  const [prefix = '', length] = ipv6_pool.split('/')
  return (length === '64' || length === '56') && prefix.includes(':') && isPublicIp(prefix)
}

function isSpecial(demand: VmRequirements): boolean {
  const { architecture, cpuVendor, cpuFeatures, confidential, gpus } = demand
  return (
    architecture !== null ||
    cpuVendor !== null ||
    confidential !== null ||
    cpuFeatures.length > 0 ||
    gpus.length > 0
  )
}

function architectureOf({ arch }: CapacityReport): string {
  return arch === 'aarch64' ? 'arm64' : arch
}

function confidentialReason({ tee }: CapacityReport, demand: VmRequirements): CapabilityReason | null {
  const { confidential, teeVcpuTypes } = demand
  if (confidential === null) return null
  if (confidential === 'sev') return tee?.sev ? null : 'confidential'
  if (confidential === 'tdx') return tee?.tdx ? null : 'confidential'
  if (!tee?.sev_snp) return 'confidential'
  const wanted = teeVcpuTypes.length > 0 ? teeVcpuTypes : [usualTeeVcpuType]
  return wanted.some((type) => tee.sev_snp!.supported_vcpu_types.includes(type)) ? null : 'tee_vcpu_type'
}
