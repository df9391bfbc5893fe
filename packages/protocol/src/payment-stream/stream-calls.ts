/**
 * The two calls to the flow forwarder of Superfluid that payments need (protocol 04 §22.1), in the EVM's encoding:
 * every argument is a word of 32 bytes.
 */

const getFlowrate = '1d8b6526'
const setFlowrate = '57e6aa36'
const wordDigits = 64
/** Rates are signed numbers of 96 bits. */
const mostRate = 2n ** 95n - 1n

/**
 * Asks how much flows from a payer to a receiver.
 *
 * @returns data of an `eth_call` to the forwarder, hex with 0x
 */
export function streamRateCall(flow: { token: string; payer: string; receiver: string }): `0x${string}` {
  return `0x${getFlowrate}${addressWord(flow.token)}${addressWord(flow.payer)}${addressWord(flow.receiver)}`
}

/**
 * The answer to {@link streamRateCall}: token units per second.
 *
 * @throws {RangeError} for what is no such answer, as from an address without a contract
 */
export function parseStreamRate(answer: string): bigint {
  if (!/^0x[0-9a-f]{64}$/i.test(answer)) throw new RangeError('The flow forwarder gave no rate')
  const rate = BigInt.asIntN(256, BigInt(answer))
  if (rate < 0n || rate > mostRate) throw new RangeError('The flow forwarder gave no rate')
  return rate
}

/**
 * Opens, changes or (with 0) closes the flow from the sender of the transaction to a receiver.
 *
 * @param flow `rate`: token units per second
 * @returns data of a transaction to the forwarder, hex with 0x
 * @throws {RangeError} for a rate that cannot be
 */
export function setStreamRateCall(flow: { token: string; receiver: string; rate: bigint }): `0x${string}` {
  if (flow.rate < 0n || flow.rate > mostRate) throw new RangeError(`rate: cannot be ${flow.rate}`)
  const rate = flow.rate.toString(16).padStart(wordDigits, '0')
  return `0x${setFlowrate}${addressWord(flow.token)}${addressWord(flow.receiver)}${rate}`
}

function addressWord(address: string): string {
  if (!/^0x[0-9a-f]{40}$/i.test(address)) throw new RangeError(`not an EVM address: "${address}"`)
  return address.slice(2).toLowerCase().padStart(wordDigits, '0')
}
