import type { PricingAggregate } from '../aggregates/pricing.ts'

function unitTiers() {
  return [1, 2, 4, 6, 8, 12].map((units, i) => ({ id: `tier-${i + 1}`, compute_units: units }))
}

function computePricing(
  computeUnit: { holding: string; payg: string; credit: string },
  diskMib: number,
  storageCredit: string,
) {
  return {
    price: {
      storage: { payg: '0.000000977', holding: '0.05', credit: storageCredit },
      compute_unit: computeUnit,
    },
    tiers: unitTiers(),
    compute_unit: { vcpus: 1, disk_mib: diskMib, memory_mib: 2048 },
  }
}

function gpuPricing(
  computeUnit: { holding: string; payg: string; credit: string },
  models: readonly (readonly [model: string, units: number, vramMib: number])[],
) {
  return {
    price: { storage: { payg: '0.000000977', credit: fileCredit }, compute_unit: computeUnit },
    tiers: models.map(([model, compute_units, vram], i) => ({
      id: `tier-${i + 1}`,
      model,
      compute_units,
      vram,
    })),
    compute_unit: { vcpus: 1, disk_mib: 61_440, memory_mib: 6144 },
  }
}

const fileCredit = '0.17967489030626108'
const functionDiskCredit = '0.977'
const filePrice = { holding: '0.333333333', credit: fileCredit }

/** Prices of a network that has published none (protocol 02 §13.2). */
export const defaultPricing: PricingAggregate = {
  storage: { price: { storage: filePrice } },
  web3_hosting: { price: { storage: filePrice, fixed: '50' } },
  program: computePricing({ holding: '200', payg: '0.011', credit: '11000' }, 2048, functionDiskCredit),
  program_persistent: computePricing(
    { holding: '1000', payg: '0.055', credit: '55000' },
    20_480,
    functionDiskCredit,
  ),
  instance: computePricing({ holding: '1000', payg: '0.055', credit: '14250' }, 20_480, fileCredit),
  instance_confidential: computePricing(
    { holding: '2000', payg: '0.11', credit: '28500' },
    20_480,
    fileCredit,
  ),
  instance_gpu_standard: gpuPricing({ holding: '280', payg: '0.28', credit: '43125' }, [
    ['RTX 4000 ADA', 3, 20_480],
    ['RTX 3090', 4, 24_576],
    ['RTX 4090', 6, 24_576],
    ['L40S', 12, 49_152],
  ]),
  instance_gpu_premium: gpuPricing({ holding: '560', payg: '0.56', credit: '86250' }, [
    ['A100', 16, 81_920],
    ['H100', 24, 81_920],
  ]),
}
