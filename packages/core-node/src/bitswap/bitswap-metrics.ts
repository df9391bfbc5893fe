import { Counter, type Registry } from 'prom-client'

/** What `/metrics` tells of bitswap. */
export class BitswapMetrics {
  readonly #bytes: Counter
  readonly #refused: Counter

  constructor(registry: Registry) {
    this.#bytes = new Counter({
      name: 'aleph_core_bitswap_bytes_total',
      help: 'Bytes of blocks exchanged with IPFS nodes, by direction',
      labelNames: ['direction'],
      registers: [registry],
    })
    this.#refused = new Counter({
      name: 'aleph_core_bitswap_refused_blocks_total',
      help: 'Blocks from peers that nobody had asked for',
      registers: [registry],
    })
  }

  sent(bytes: number): void {
    this.#bytes.inc({ direction: 'sent' }, bytes)
  }

  received(bytes: number): void {
    this.#bytes.inc({ direction: 'received' }, bytes)
  }

  refused(): void {
    this.#refused.inc()
  }
}
