import { findGpus } from '../agent/gpu/pci-gpus.ts'
import type { ComputeNodeConfig } from '../config.ts'
import { querySevCapabilities } from '../hypervisor/qemu/sev-capabilities.ts'
import { findSevSupport } from '../hypervisor/qemu/sev-support.ts'
import { type Finding, ok, warn } from './check.ts'

const sysfs = '/sys'

/** Whether there is what the operator offers beyond ordinary VMs; nothing for what is not offered. */
export async function checkOffers(config: ComputeNodeConfig): Promise<Finding[]> {
  return [
    ...(config.gpuSupport ? [await checkGpus()] : []),
    ...(config.confidentialComputing ? [await checkConfidential()] : []),
    ...checkStreams(config),
  ]
}

async function checkGpus(): Promise<Finding> {
  const gpus = await findGpus(sysfs)
  if (gpus.length > 0) return ok('GPUs', gpus.map(({ deviceId }) => deviceId).join(', '))
  return warn('GPUs', 'none is bound to the driver vfio-pci, so none can be given to a VM')
}

async function checkConfidential(): Promise<Finding> {
  const support = await findSevSupport({ sysfs, queryCapabilities: querySevCapabilities })
  if (support.available) return ok('confidential VMs', support.technologies.join(', '))
  return warn('confidential VMs', `none run here: ${support.reason}`)
}

function checkStreams({ profile, paymentReceiver, evmRpcUrls }: ComputeNodeConfig): Finding[] {
  if (paymentReceiver === null) return []
  return profile.streams.map(({ chain }) =>
    evmRpcUrls[chain] === undefined
      ? warn('payment streams', `none on ${chain}: set ALEPH_VM_EVM_RPC_${chain} to take them`)
      : ok('payment streams', `on ${chain}, to ${paymentReceiver}`),
  )
}
