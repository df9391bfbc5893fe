import {
  type Chain,
  type CommunityShare,
  coveredMachines,
  isEvmAddress,
  type NetworkProfile,
  type Payment,
  requiredStreams,
  type StreamedMachine,
  type StreamNetwork,
  type StreamRates,
  streamsSuffice,
} from '@aleph-ts/protocol'
import { AlephError } from '@aleph-ts/sdk'
import { httpProvider, readStreamRate } from '@aleph-ts/sdk/streams'
import type { NetworkSettings } from '../core-nodes/network-settings.ts'
import { AgentError } from '../errors.ts'

/** A twelfth of 365 days, in which refusals count. */
const MONTH_SECONDS = 2_628_000n

export interface StreamsOptions {
  networks: NetworkProfile['streams']
  /** Where streams must go to; null: nowhere here. */
  receiver: string | null
  rpcUrls: Partial<Record<Chain, string>>
  settings: NetworkSettings
}

/** A VM that a stream pays for. */
export interface StreamedVm {
  /** ALEPH per second, decimal text. */
  cost: string
  /** `content.time` of its message, epoch seconds. */
  time: number
}

/** Reads on the chains what flows to this node and to the community, and says what must (protocol 04 §22.2). */
export class Streams {
  readonly #options: StreamsOptions

  constructor(options: StreamsOptions) {
    this.#options = options
  }

  /** Refuses a payment that this node cannot look at. Throws AgentError `invalid_request`. */
  assertAccepted({ chain, receiver }: Payment, payer: string): void {
    const own = this.#options.receiver
    if (own === null || receiver?.toLowerCase() !== own.toLowerCase()) {
      throw new AgentError('invalid_request', '400: Message is not for this instance')
    }
    this.#networkOf(chain)
    if (!isEvmAddress(payer)) {
      throw new AgentError('invalid_request', `400: content.address: ${payer} is no EVM address; it must pay`)
    }
  }

  /**
   * Refuses when too little flows from the payer for all these VMs. Throws AgentError `payment_required`, and
   * those of `covered`.
   */
  async assertSufficient(payer: string, chain: Payment['chain'], vms: StreamedVm[]): Promise<void> {
    const { flowing, share } = await this.#flowing(payer, chain)
    const required = requiredStreams(machinesOf(vms, share))
    if (streamsSuffice(flowing, required)) return
    if (flowing.operator === 0n) {
      throw new AgentError('payment_required', `402: Empty payment stream for this instance from ${payer}`)
    }
    throw new AgentError(
      'payment_required',
      `Insufficient payment stream for this instance from ${payer}\n\n` +
        `Required: ${perMonth(required)}\nPresent: ${perMonth(flowing)}`,
    )
  }

  /**
   * How many of the payer's VMs here, oldest first, what flows now is enough for. Throws AgentError
   * `chain_unreachable`, `core_nodes_unreachable`, or `invalid_request` when this node does not read that chain.
   */
  async covered(payer: string, chain: Payment['chain'], vms: StreamedVm[]): Promise<number> {
    const { flowing, share } = await this.#flowing(payer, chain)
    return coveredMachines(machinesOf(vms, share), flowing)
  }

  async #flowing(payer: string, chain: Payment['chain']) {
    const { network, rpcUrl } = this.#networkOf(chain)
    const share = await this.#options.settings.communityShare()
    const provider = httpProvider(rpcUrl)
    const rate = async (receiver: string) => readStreamRate(provider, network, { payer, receiver })
    try {
      const [operator, community] = await Promise.all([
        rate(this.#options.receiver ?? ''),
        share ? rate(share.wallet) : 0n,
      ])
      return { flowing: { operator, community }, share }
    } catch (error) {
      if (!(error instanceof AlephError || error instanceof RangeError)) throw error
      throw new AgentError(
        'chain_unreachable',
        `The streams on ${chain} cannot be read; try again shortly: ${error.message}`,
        { cause: error },
      )
    }
  }

  #networkOf(chain: Payment['chain']): { network: StreamNetwork; rpcUrl: string } {
    const { networks, rpcUrls } = this.#options
    const network = networks.find((each) => each.chain === chain)
    const rpcUrl = network && rpcUrls[network.chain]
    if (network && rpcUrl) return { network, rpcUrl }
    throw new AgentError('invalid_request', `400: Streams on ${chain ?? 'no chain'} are not accepted here`)
  }
}

function machinesOf(vms: StreamedVm[], share: CommunityShare | null): StreamedMachine[] {
  return vms.map(({ cost, time }) => ({ cost, sharesWithCommunity: share !== null && time > share.since }))
}

function perMonth({ operator, community }: StreamRates): string {
  const aleph = (rate: bigint) => Number((rate * MONTH_SECONDS) / 10n ** 12n) / 1e6
  return `${aleph(operator)} token / month to the node, ${aleph(community)} to the community`
}
