import { Counter, type Registry } from 'prom-client'

const itemTypes = ['ipfs', 'storage'] as const
type FileType = (typeof itemTypes)[number]

/** Fetches of files that STORE messages name, under the names that dashboards read (protocol 02 §10.2). */
export class StoreFetchMetrics {
  readonly #begun: Record<FileType, Counter>
  readonly #failed: Record<FileType, Counter>
  readonly #milliseconds: Record<FileType, Counter>

  constructor(registry: Registry) {
    const counters = (name: string, help: string) =>
      Object.fromEntries(
        itemTypes.map((type) => [
          type,
          new Counter({ name: `pyaleph_store_fetch_${type}_${name}`, help, registers: [registry] }),
        ]),
      ) as Record<FileType, Counter>
    this.#begun = counters('total', 'Fetches of files of STORE messages')
    this.#failed = counters('failed_total', 'Fetches of files of STORE messages that failed')
    this.#milliseconds = counters('duration_ms_sum', 'Time that fetches of files took, ms')
  }

  /** Counts a fetch; one that throws has failed. */
  async measure(type: FileType, fetch: () => Promise<void>): Promise<void> {
    const begunMs = performance.now()
    this.#begun[type].inc()
    try {
      await fetch()
    } catch (error) {
      this.#failed[type].inc()
      throw error
    } finally {
      this.#milliseconds[type].inc(Math.round(performance.now() - begunMs))
    }
  }
}
