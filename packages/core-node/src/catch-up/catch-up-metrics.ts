import { Counter, type Registry } from 'prom-client'
import type { PullResult } from './pull.ts'

/** What `/metrics` tells of catch-up. */
export class CatchUpMetrics {
  readonly #sessions: Counter
  readonly #messages: Counter
  readonly #bytes: Counter

  constructor(registry: Registry) {
    this.#sessions = new Counter({
      name: 'aleph_core_reconcile_sessions_total',
      help: 'Comparisons with peers, by how they ended',
      labelNames: ['end'],
      registers: [registry],
    })
    this.#messages = new Counter({
      name: 'aleph_core_reconcile_messages_total',
      help: 'Messages taken in by catch-up',
      registers: [registry],
    })
    this.#bytes = new Counter({
      name: 'aleph_core_reconcile_bytes_total',
      help: 'Bytes exchanged to find differences, without the messages',
      registers: [registry],
    })
  }

  completed(result: PullResult): void {
    this.#sessions.inc({ end: 'completed' })
    this.#messages.inc(result.taken)
    this.#bytes.inc(result.bytes)
  }

  interrupted(): void {
    this.#sessions.inc({ end: 'interrupted' })
  }
}
