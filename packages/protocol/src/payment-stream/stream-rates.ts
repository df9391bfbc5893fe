import { Amount } from '../pricing/decimal.ts'

/** Token units per second that go to each receiver, 18 decimals. */
export interface StreamRates {
  /** To whoever runs the machine. */
  operator: bigint
  /** To the community's wallet. */
  community: bigint
}

/** A machine paid by a stream. */
export interface StreamedMachine {
  /** ALEPH per second, decimal text, as the price route tells it (protocol 04 §21). */
  cost: string
  /** Whether it started after the community began to take its fifth. */
  sharesWithCommunity: boolean
}

/**
 * What must flow for machines of one payer at one operator (protocol 04 §22.2): of machines that share with the
 * community a fifth goes there, exactly; each sum is rounded down.
 *
 * @throws {RangeError} when a cost is not a decimal of zero or more
 */
export function requiredStreams(machines: StreamedMachine[]): StreamRates {
  const sum = (shares: boolean) =>
    machines
      .filter(({ sharesWithCommunity }) => sharesWithCommunity === shares)
      .reduce((total, { cost }) => total + unitsOf(cost), 0n)
  const shared = sum(true)
  return { operator: (shared * 4n) / 5n + sum(false), community: shared / 5n }
}

/** Whether what flows is enough; nobody loses a machine for less than 10⁻¹⁰ ALEPH per second. */
export function streamsSuffice(flowing: StreamRates, required: StreamRates): boolean {
  return isEnough(flowing.operator, required.operator) && isEnough(flowing.community, required.community)
}

const tolerance = 10n ** 8n

function isEnough(flowing: bigint, required: bigint): boolean {
  // No tolerance makes nothing pay for something.
  return flowing + tolerance >= required && (flowing > 0n || required === 0n)
}

function unitsOf(cost: string): bigint {
  if (!/^\d{1,30}(\.\d{1,40})?$/.test(cost)) throw new RangeError(`cost: not a decimal amount: "${cost}"`)
  return BigInt(new Amount(cost).times('1e18').floor().toFixed(0))
}
