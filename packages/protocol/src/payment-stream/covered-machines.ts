import { requiredStreams, type StreamedMachine, type StreamRates, streamsSuffice } from './stream-rates.ts'

/**
 * How many machines of one payer at one operator the streams are enough for, from the oldest on: the newest are the
 * first that are not paid for (protocol 06 §8.4).
 *
 * @param machines oldest first
 * @throws {RangeError} when a cost is not a decimal of zero or more
 */
export function coveredMachines(machines: StreamedMachine[], flowing: StreamRates): number {
  let count = machines.length
  while (count > 0 && !streamsSuffice(flowing, requiredStreams(machines.slice(0, count)))) count--
  return count
}
