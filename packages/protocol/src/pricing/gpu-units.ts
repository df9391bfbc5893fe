import type { PricingAggregate } from '../aggregates/pricing.ts'
import type { SettingsAggregate } from '../aggregates/settings.ts'
import { formatError } from '../errors/protocol-error.ts'
import { computeUnit, productPricing } from './rates.ts'

const gpuProducts = ['instance_gpu_premium', 'instance_gpu_standard'] as const
export type GpuProduct = (typeof gpuProducts)[number]

export interface GpuUnits {
  /** Units to pay per product, those without any left out, premium first. */
  paid: { product: GpuProduct; units: number }[]
  /** Units of CPU and memory, which bring the included disk. */
  resource: number
}

/**
 * Compute units of an instance with GPUs (protocol 02 §13.6). Every GPU brings the units of its model's tier; when
 * CPU or memory ask for more, the difference is paid at the best tier in use.
 *
 * @throws {ProtocolError} INVALID_FORMAT when a device is not on the network's list or its model has no price.
 */
export function gpuUnits(
  deviceIds: readonly string[],
  resources: { vcpus: number; memory: number },
  pricing: PricingAggregate,
  settings: SettingsAggregate,
): GpuUnits {
  const units = { instance_gpu_premium: 0, instance_gpu_standard: 0 }
  for (const deviceId of deviceIds) {
    const tier = tierOf(deviceId, pricing, settings)
    units[tier.product] += tier.units
  }
  const dominant = units.instance_gpu_premium > 0 ? 'instance_gpu_premium' : 'instance_gpu_standard'
  const { memoryMib } = computeUnit(productPricing(pricing, dominant))
  const resource = Math.max(resources.vcpus, Math.ceil(resources.memory / memoryMib))
  const sum = units.instance_gpu_premium + units.instance_gpu_standard
  if (resource > sum) units[dominant] += resource - sum
  const paid = gpuProducts.map((product) => ({ product, units: units[product] }))
  return { paid: paid.filter((entry) => entry.units > 0), resource }
}

function tierOf(
  deviceId: string,
  pricing: PricingAggregate,
  settings: SettingsAggregate,
): { product: GpuProduct; units: number } {
  const model = settings.compatible_gpus.find((gpu) => gpu.device_id === deviceId)?.model
  if (model === undefined) {
    throw formatError(`requirements.gpu: device ${deviceId.slice(0, 64)} is not a GPU of this network`)
  }
  for (const product of gpuProducts) {
    const tier = productPricing(pricing, product).tiers?.find((entry) => entry.model === model)
    if (tier !== undefined) return { product, units: tier.compute_units }
  }
  throw formatError(`requirements.gpu: GPU model ${model} has no price on this network`)
}
