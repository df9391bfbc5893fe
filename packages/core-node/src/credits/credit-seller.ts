import { type CreditSale, distributionPost } from '@aleph-ts/protocol'
import { ChainReader } from '../chains/chain-reader.ts'
import { evmRpcUrl } from '../chains/followed-contracts.ts'
import type { CoreNodeContext } from '../context.ts'
import type { OperatorKey } from '../operator-key.ts'
import { publishOwnMessage } from '../own-message.ts'
import { RepeatedWork } from '../repeated-work.ts'
import {
  loadOpenPurchases,
  markAnnounced,
  type PlacedPurchase,
  purchaseLedger,
  purchaseSource,
  streamOf,
} from './credit-purchases.ts'

export interface CreditSellerOptions {
  context: Pick<CoreNodeContext, 'config' | 'profile' | 'pool' | 'inbox' | 'fileStore' | 'logger'>
  /** The key of one of the profile's `addresses.credits`. */
  key: OperatorKey
}

const pollMs = 2_000

/**
 * Gives credits to whoever paid for them (protocol 04 §19.2): reads the payments of each of the profile's
 * `creditSales`, and publishes a distribution for each, once it is deep enough in its chain. The post of a purchase is
 * always the same message, so a crash can neither lose nor double it.
 */
export class CreditSeller {
  readonly #options: CreditSellerOptions
  readonly #counters: RepeatedWork[] = []
  readonly #readers = new Map<CreditSale, ChainReader<PlacedPurchase>>()

  constructor(options: CreditSellerOptions) {
    this.#options = options
    const { config, profile, logger } = options.context
    for (const sale of profile.creditSales) {
      const rpcUrl = evmRpcUrl(config, sale.chain)
      if (!rpcUrl) {
        const { chain, token } = sale
        logger.warn({ chain, token }, 'no endpoint of this chain is set: its purchases are not read')
        continue
      }
      const counter = new RepeatedWork({
        work: () => this.#serve(sale, rpcUrl),
        pauseMs: () => pollMs,
        onError: (error) => logger.warn({ err: error }, 'purchases of credits could not be announced'),
      })
      this.#counters.push(counter)
    }
  }

  start(): void {
    for (const counter of this.#counters) counter.start()
  }

  async stop(): Promise<void> {
    await Promise.all(this.#counters.map((counter) => counter.stop()))
    await Promise.all([...this.#readers.values()].map((reader) => reader.stop()))
  }

  async #serve(sale: CreditSale, rpcUrl: string): Promise<void> {
    const { context, key } = this.#options
    const { pool, profile, logger } = context
    const { head } = this.#readerOf(sale, rpcUrl).progress
    if (head === null) return
    for (const purchase of await loadOpenPurchases(pool, sale, head - sale.finalAfterBlocks)) {
      const content = distributionPost(purchase, sale)
      if (content) {
        const channel = profile.channels.credits[0] ?? profile.channels.default
        const itemHash = await publishOwnMessage(context, key, { type: 'POST', channel, content })
        logger.info({ itemHash, buyer: purchase.buyer, tx_hash: purchase.txHash }, 'credits sold')
      }
      await markAnnounced(pool, sale, purchase)
    }
  }

  #readerOf(sale: CreditSale, rpcUrl: string): ChainReader<PlacedPurchase> {
    const open = this.#readers.get(sale)
    if (open) return open
    const { pool, logger } = this.#options.context
    const { chain, startBlock } = sale
    const stream = streamOf(sale)
    const source = purchaseSource(sale, rpcUrl)
    const ledger = purchaseLedger(stream)
    const reader = new ChainReader({ pool, logger, source, ledger, chain, stream, startBlock })
    reader.start()
    this.#readers.set(sale, reader)
    return reader
  }
}
