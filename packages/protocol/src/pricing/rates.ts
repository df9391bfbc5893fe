import type { PricingAggregate, Product, ProductPricing } from '../aggregates/pricing.ts'
import { ProtocolError } from '../errors/protocol-error.ts'
import { Amount, zero } from './decimal.ts'

/** The price of one unit: ALEPH held, ALEPH per second, credits per second. */
export interface Rate {
  hold: Amount
  stream: Amount
  credit: Amount
}

const secondsPerHour = new Amount(3600)

const free: Rate = { hold: zero, stream: zero, credit: zero }

/**
 * @throws {ProtocolError} INTERNAL_ERROR when the price table of the network lacks the product.
 */
export function productPricing(pricing: PricingAggregate, product: Product): ProductPricing {
  const found = pricing[product]
  if (found === undefined) throw unpriced(`the price table has no product ${product}`)
  return found
}

/** Price per MiB of disk or file. */
export function storageRate(pricing: ProductPricing): Rate {
  return rate(pricing.price.storage)
}

/**
 * Price per compute unit.
 *
 * @throws {ProtocolError} INTERNAL_ERROR when the product has none.
 */
export function computeRate(pricing: ProductPricing, product: Product): Rate {
  if (!pricing.compute_unit || !pricing.price.compute_unit) {
    throw unpriced(`the price table has no compute price for ${product}`)
  }
  return rate(pricing.price.compute_unit)
}

/** Memory and included disk of one compute unit; products without tiers count by the usual unit and include none. */
export function computeUnit(pricing: ProductPricing): { memoryMib: number; diskMib: number } {
  if (!pricing.tiers?.length || !pricing.compute_unit) return { memoryMib: 2048, diskMib: 0 }
  return { memoryMib: pricing.compute_unit.memory_mib, diskMib: pricing.compute_unit.disk_mib }
}

function rate(prices: ProductPricing['price']['storage']): Rate {
  if (!prices) return free
  return {
    hold: new Amount(prices.holding ?? 0),
    stream: new Amount(prices.payg ?? 0).div(secondsPerHour),
    credit: new Amount(prices.credit ?? 0).div(secondsPerHour),
  }
}

function unpriced(message: string): ProtocolError {
  return new ProtocolError('INTERNAL_ERROR', { message, errors: [message] })
}
