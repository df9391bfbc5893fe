import { setTimeout as sleep } from 'node:timers/promises'
import { type CreditSale, distributionPost } from '@aleph-ts/protocol'
import { ChainReader } from '../chains/chain-reader.ts'
import { evmRpcUrl } from '../chains/followed-contracts.ts'
import type { CoreNodeContext } from '../context.ts'
import type { OperatorKey } from '../operator-key.ts'
import { publishOwnMessage } from '../own-message.ts'
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
  readonly #stopping = new AbortController()
  #counters: { sale: CreditSale; reader: ChainReader<PlacedPurchase> }[] = []
  #loop: Promise<void> | undefined

  constructor(options: CreditSellerOptions) {
    this.#options = options
  }

  start(): void {
    this.#loop ??= this.#run()
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#loop
    await Promise.all(this.#counters.map(({ reader }) => reader.stop()))
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping
    const { logger } = this.#options.context
    await this.#openCounters()
    while (!signal.aborted) {
      for (const counter of this.#counters) {
        await this.#serve(counter).catch((error: unknown) => {
          if (!signal.aborted) logger.warn({ err: error }, 'purchases of credits could not be announced')
        })
      }
      await sleep(pollMs, undefined, { signal }).catch(() => undefined)
    }
  }

  async #openCounters(): Promise<void> {
    const { config, profile, pool, logger } = this.#options.context
    for (const sale of profile.creditSales) {
      const { chain, startBlock } = sale
      const rpcUrl = evmRpcUrl(config, chain)
      if (!rpcUrl) {
        logger.warn(
          { chain, token: sale.token },
          'no endpoint of this chain is set: its purchases are not read',
        )
        continue
      }
      const stream = streamOf(sale)
      const source = purchaseSource(sale, rpcUrl)
      const ledger = purchaseLedger(stream)
      const reader = await ChainReader.create({ pool, logger, source, ledger, chain, stream, startBlock })
      this.#counters.push({ sale, reader })
      await reader.start()
    }
  }

  async #serve({ sale, reader }: { sale: CreditSale; reader: ChainReader<PlacedPurchase> }): Promise<void> {
    const { context, key } = this.#options
    const { pool, profile, logger } = context
    const { head } = reader.progress
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
}
