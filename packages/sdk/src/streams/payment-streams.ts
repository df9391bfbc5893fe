import { type StreamNetwork, type StreamRates, setStreamRateCall } from '@aleph-ts/protocol'
import type { EthereumProvider } from '../account/ethereum-account.ts'
import { readStreamRate } from './read-stream-rate.ts'
import { sendTransaction } from './send-transaction.ts'

export interface PaymentStreamsOptions {
  /** One of the profile's `streams`. */
  network: StreamNetwork
  /** A wallet that sends transactions: a browser's, or {@link keyProvider}. */
  provider: EthereumProvider
  /** Address that pays. */
  payer: string
  /** How long a transaction may take to be in a block, ms; default two minutes. */
  timeoutMs?: number
}

/** Who gets what a machine costs. */
export interface StreamReceivers {
  operator: string
  community: string
}

/**
 * Pays for machines by streams of tokens (protocol 04 §22). One stream runs from the payer to each receiver, for all
 * machines together: starting one more adds to it, ending one takes from it.
 *
 * @example
 * const streams = new PaymentStreams({ network: profile.streams[0], provider, payer: account.address })
 * const rates = requiredStreams([{ cost, sharesWithCommunity: true }])
 * await streams.add(rates, { operator, community })    // before the machine starts
 * await streams.remove(rates, { operator, community }) // when it has ended
 */
export class PaymentStreams {
  readonly #options: PaymentStreamsOptions

  constructor(options: PaymentStreamsOptions) {
    this.#options = options
  }

  /** What flows to a receiver now, token units per second. */
  async rate(receiver: string): Promise<bigint> {
    const { provider, network, payer } = this.#options
    return await readStreamRate(provider, network, { payer, receiver })
  }

  /**
   * Opens, changes or (with 0) closes the stream to a receiver, and waits until the chain has it.
   *
   * @returns hash of the transaction, null when the rate is what it was
   * @throws {AlephError} `wallet_refused` when it is not sent, `bad_request` when the chain refuses it (such as for a
   * balance that does not cover the deposit of four hours), `timeout`
   */
  async set(receiver: string, rate: bigint): Promise<string | null> {
    if ((await this.rate(receiver)) === rate) return null
    const { network, payer, provider, timeoutMs } = this.#options
    const data = setStreamRateCall({ token: network.superToken, receiver, rate })
    return await sendTransaction(
      provider,
      network,
      { from: payer, to: network.forwarder, data },
      { hint: 'The wallet needs the fee, and tokens for four hours of the stream as a deposit.', timeoutMs },
    )
  }

  /** Lets more flow: to the community first, then to the operator, who looks at both. */
  async add(rates: StreamRates, receivers: StreamReceivers): Promise<void> {
    await this.#change(receivers.community, rates.community)
    await this.#change(receivers.operator, rates.operator)
  }

  /** Lets less flow: to the operator first. A stream that would be below zero is closed. */
  async remove(rates: StreamRates, receivers: StreamReceivers): Promise<void> {
    await this.#change(receivers.operator, -rates.operator)
    await this.#change(receivers.community, -rates.community)
  }

  async #change(receiver: string, by: bigint): Promise<void> {
    const wanted = (await this.rate(receiver)) + by
    await this.set(receiver, wanted > 0n ? wanted : 0n)
  }
}
