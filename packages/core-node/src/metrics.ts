import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import type { ChainProgress } from './chains/chain-reader.ts'
import type { CoreEvents } from './events.ts'

/** What a core node counts. `pyaleph_…` names are read by the network's scoring (protocol 03 §12.3). */
export class CoreMetrics {
  readonly registry = new Registry()
  readonly batchSeconds = new Histogram({
    name: 'aleph_core_batch_seconds',
    help: 'Time to process one batch of messages',
    buckets: [0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 5],
    registers: [this.registry],
  })
  readonly messageFeeds = this.#gauge('pyaleph_ws_messages_connections_active', 'Open message feeds')
  readonly refusedMessageFeeds = this.#counter(
    'pyaleph_ws_messages_connections_rejected_total',
    'Message feeds turned away',
  )
  readonly statusFeeds = this.#gauge('pyaleph_ws_status_connections_active', 'Open status feeds')
  readonly refusedStatusFeeds = this.#counter(
    'pyaleph_ws_status_connections_rejected_total',
    'Status feeds turned away',
  )
  readonly #ethereumHeight = this.#gauge('pyaleph_status_chain_eth_last_committed_height', 'Last block read')
  readonly #ethereumHead = this.#gauge(
    'pyaleph_status_chain_eth_height_reference_total',
    'Newest block of the chain',
  )
  readonly #ethereumLag = this.#gauge(
    'pyaleph_status_chain_eth_height_remaining_total',
    'Blocks not read yet',
  )

  #chainProgress: ChainProgress | null = null

  constructor(options: { version: string; events: CoreEvents; pendingCount: () => number }) {
    const { version, events, pendingCount } = options
    collectDefaultMetrics({ register: this.registry, prefix: 'aleph_core_' })
    const labels = { python_version: process.version, version }
    const build = new Gauge({
      name: 'pyaleph_build_info',
      help: 'Version of this node',
      labelNames: ['python_version', 'version'],
      registers: [this.registry],
    })
    build.set(labels, 1)
    new Gauge({
      name: 'pyaleph_status_sync_pending_messages_total',
      help: 'Messages acknowledged and not settled yet',
      registers: [this.registry],
      collect() {
        this.set(pendingCount())
      },
    })
    this.#count(events)
  }

  /** Where the balance reader is; null before it has said so. */
  get chainProgress(): ChainProgress | null {
    return this.#chainProgress
  }

  /** Keeps where the balance reader is. */
  noteChain(progress: ChainProgress): void {
    this.#chainProgress = progress
    const { block, head } = progress
    if (block !== null) this.#ethereumHeight.set(block)
    if (head === null) return
    this.#ethereumHead.set(head)
    this.#ethereumLag.set(Math.max(0, head - (block ?? 0)))
  }

  #count(events: CoreEvents): void {
    const processed = this.#counter('aleph_core_messages_processed_total', 'Messages processed, by type', [
      'type',
    ])
    const rejected = this.#counter('aleph_core_messages_rejected_total', 'Messages refused, by code', [
      'error_code',
    ])
    const retried = this.#counter(
      'aleph_core_messages_retried_total',
      'Attempts that failed in passing, by code',
      ['error_code'],
    )
    events.on('retry', (batch) => {
      for (const message of batch) retried.inc({ error_code: message.errorCode })
    })
    events.on('processed', (batch) => {
      for (const message of batch) processed.inc({ type: message.type })
    })
    events.on('rejected', (batch) => {
      for (const message of batch) rejected.inc({ error_code: message.errorCode })
    })
  }

  #gauge(name: string, help: string): Gauge {
    return new Gauge({ name, help, registers: [this.registry] })
  }

  #counter(name: string, help: string, labelNames: string[] = []): Counter {
    return new Counter({ name, help, labelNames, registers: [this.registry] })
  }
}
