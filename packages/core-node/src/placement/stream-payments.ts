import {
  type CommunityShare,
  communityShare,
  coveredMachines,
  parseStreamRate,
  type StreamNetwork,
  streamRateCall,
} from '@aleph-ts/protocol'
import { EvmRpc } from '../chains/evm-rpc.ts'
import { evmRpcUrl } from '../chains/followed-contracts.ts'
import type { CoreNodeContext } from '../context.ts'
import { loadAggregates } from '../state/aggregates.ts'
import type { Workload } from './workloads.ts'

/** Whether the streams of its owner pay for a VM; `unknown` as long as nobody could be asked. */
export type StreamVerdict = 'paid' | 'unpaid' | 'unknown'

/**
 * Looks at the streams that pay for VMs of this core node's compute nodes (protocol 06 §8.4). A chain that cannot be
 * asked changes nothing: nobody loses a machine for want of information.
 */
export class StreamPayments {
  readonly #context: Pick<CoreNodeContext, 'pool' | 'profile' | 'config' | 'logger'>
  readonly #pauseMs: number
  readonly #rpcs = new Map<string, EvmRpc>()
  #verdicts = new Map<string, StreamVerdict>()
  #lookedAt = Number.NEGATIVE_INFINITY

  /** @param pauseMs between two looks at the chains */
  constructor(
    context: Pick<CoreNodeContext, 'pool' | 'profile' | 'config' | 'logger'>,
    { pauseMs }: { pauseMs: number },
  ) {
    this.#context = context
    this.#pauseMs = pauseMs
  }

  verdict(vmHash: string): StreamVerdict {
    return this.#verdicts.get(vmHash) ?? 'unknown'
  }

  close(): void {
    for (const rpc of this.#rpcs.values()) rpc.close()
  }

  /**
   * Brings the verdicts up to date, unless they are.
   *
   * @param workloads those paid by streams to our compute nodes, oldest first
   */
  async look(workloads: Workload[]): Promise<void> {
    const isFresh = performance.now() - this.#lookedAt < this.#pauseMs
    if (isFresh && workloads.every(({ hash }) => this.#verdicts.has(hash))) return
    const verdicts = new Map<string, StreamVerdict>()
    if (workloads.length > 0) {
      const costs = await this.#costs(workloads.map(({ hash }) => hash))
      const community = await this.#community()
      const accounts = Map.groupBy(
        workloads,
        ({ owner, paymentChain, requirements }) =>
          `${owner} ${paymentChain} ${requirements.streamReceiver?.toLowerCase()}`,
      )
      for (const machines of accounts.values()) {
        const covered = await this.#covered(machines, costs, community)
        for (const [index, { hash }] of machines.entries()) {
          const verdict = index < covered ? 'paid' : 'unpaid'
          verdicts.set(hash, Number.isNaN(covered) ? this.verdict(hash) : verdict)
        }
      }
    }
    this.#verdicts = verdicts
    this.#lookedAt = performance.now()
  }

  /** How many of one payer's machines at one operator are paid for; NaN when the chain cannot be asked. */
  async #covered(
    machines: Workload[],
    costs: ReadonlyMap<string, string>,
    community: CommunityShare | null,
  ): Promise<number> {
    const [first] = machines
    const network = this.#context.profile.streams.find(({ chain }) => chain === first?.paymentChain)
    const receiver = first?.requirements.streamReceiver
    if (!first || !network || !receiver) return 0
    try {
      const [toOperator, toCommunity] = await Promise.all(
        [receiver, community?.wallet].map((to) => this.#rate(network, first.owner, to)),
      )
      const priced = machines.map(({ hash, time }) => ({
        cost: costs.get(hash) ?? '0',
        sharesWithCommunity: community !== null && time > community.since,
      }))
      return coveredMachines(priced, { operator: toOperator!, community: toCommunity! })
    } catch (error) {
      const reason = (error as Error).message
      this.#context.logger.warn(
        { chain: network.chain, reason },
        'streams could not be read; nothing changes',
      )
      return Number.NaN
    }
  }

  async #rate(network: StreamNetwork, payer: string, receiver: string | undefined): Promise<bigint> {
    if (receiver === undefined) return 0n
    const rpc = this.#rpcOf(network)
    const data = streamRateCall({ token: network.superToken, payer, receiver })
    const { number: block } = await rpc.head()
    const answer = await rpc.call({ to: network.forwarder, data, block })
    return parseStreamRate(answer ?? '')
  }

  #rpcOf({ chain, evmChainId }: StreamNetwork): EvmRpc {
    const known = this.#rpcs.get(chain)
    if (known) return known
    const rpcUrl = evmRpcUrl(this.#context.config, chain)
    if (rpcUrl === undefined) throw new Error(`No endpoint of ${chain} is set`)
    const rpc = new EvmRpc({ rpcUrl, evmChainId })
    this.#rpcs.set(chain, rpc)
    return rpc
  }

  /** ALEPH per second, decimal text. */
  async #costs(hashes: string[]): Promise<Map<string, string>> {
    const { rows } = await this.#context.pool.query<{ item_hash: string; amount: string }>(
      `select item_hash, amount::text as amount from charges
       where item_hash = any($1) and payment_type = 'superfluid' and until is null`,
      [hashes],
    )
    return new Map(rows.map(({ item_hash, amount }) => [item_hash, amount]))
  }

  async #community(): Promise<CommunityShare | null> {
    const { pool, profile } = this.#context
    const owner = profile.addresses.settings
    return communityShare((await loadAggregates(pool, 'settings', [owner])).get(owner), profile)
  }
}
