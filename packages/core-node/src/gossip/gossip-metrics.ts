import { Counter, Gauge, Histogram, type Registry } from 'prom-client'
import { scoreOf } from './gossipsub-internals.ts'
import type { P2pHost } from './host.ts'
import { graylistScore } from './peer-scoring.ts'

/** What `/metrics` tells of gossip. */
export class GossipMetrics {
  readonly #judged: Counter
  readonly #published: Counter
  readonly #age: Histogram

  constructor(registry: Registry, host: P2pHost) {
    this.#judged = new Counter({
      name: 'aleph_core_gossip_messages_total',
      help: 'Gossiped messages looked at, by what was done with them',
      labelNames: ['verdict'],
      registers: [registry],
    })
    this.#published = new Counter({
      name: 'aleph_core_gossip_published_total',
      help: "Messages of this node's API handed to gossip",
      registers: [registry],
    })
    this.#age = new Histogram({
      name: 'aleph_core_gossip_age_seconds',
      help: 'Age of gossiped messages when they were found in order, by the time in their envelopes',
      buckets: [0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 0.75, 1, 2, 5, 10, 60],
      registers: [registry],
    })
    const peers = new Gauge({
      name: 'aleph_core_gossip_peers',
      help: 'Connected peers, by whether they are listened to',
      labelNames: ['standing'],
      registers: [registry],
      collect() {
        const scores = host.getPeers().map((peer) => scoreOf(host.services.pubsub, peer.toString()))
        const shunned = scores.filter((score) => score < graylistScore).length
        peers.set({ standing: 'good' }, scores.length - shunned)
        peers.set({ standing: 'shunned' }, shunned)
      },
    })
  }

  /** Counts one message of our own. */
  published(): void {
    this.#published.inc()
  }

  /** Notes how old a message was when it was heard; `time` is that of its envelope, epoch seconds. */
  heard(time: number): void {
    this.#age.observe(Math.max(0, Date.now() / 1000 - time))
  }

  /** Counts one message: `accept`, `reject`, `ignore`, or `excess` when it was not looked at. */
  count(verdict: 'accept' | 'reject' | 'ignore' | 'excess'): void {
    this.#judged.inc({ verdict })
  }
}
