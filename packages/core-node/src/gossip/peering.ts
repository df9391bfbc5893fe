import type { Connection } from '@libp2p/interface'
import { type Multiaddr, multiaddr } from '@multiformats/multiaddr'
import type { Logger } from 'pino'
import { hasOutboundStream, offerGossip } from './gossipsub-internals.ts'
import type { P2pHost } from './host.ts'
import type { PeerTable } from './peer-table.ts'

const dialPeriodMs = 10_000
const dialTimeoutMs = 10_000
const maxDials = 100
/** Time a fresh connection has to show up in gossipsub by itself, ms. */
const identifyPatienceMs = 2_000
const gossipProtocols = ['/meshsub/1.1.0', '/meshsub/1.0.0']

export interface PeeringOptions {
  host: P2pHost
  peers: PeerTable
  /** The peers the operator configured. */
  configured: { peerId: string; address: Multiaddr }[]
  logger: Logger
}

/** Keeps this node connected: dials configured and known peers, and again when they are lost (protocol 04 §6.4). */
export class Peering {
  readonly #options: PeeringOptions
  readonly #stopped = new AbortController()
  readonly #nudges = new Set<NodeJS.Timeout>()
  #timer: NodeJS.Timeout | undefined
  #round: Promise<void> | undefined

  constructor(options: PeeringOptions) {
    this.#options = options
  }

  start(): void {
    this.#options.host.addEventListener('connection:open', this.#onConnection)
    this.#options.host.addEventListener('peer:disconnect', this.#onDisconnect)
    this.#dialSoon(0)
  }

  async stop(): Promise<void> {
    this.#stopped.abort()
    clearTimeout(this.#timer)
    for (const nudge of this.#nudges) clearTimeout(nudge)
    this.#options.host.removeEventListener('connection:open', this.#onConnection)
    this.#options.host.removeEventListener('peer:disconnect', this.#onDisconnect)
    await this.#round
  }

  #dialSoon(delayMs: number): void {
    if (this.#stopped.signal.aborted) return
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => {
      this.#round = this.#dialMissing().finally(() => {
        this.#round = undefined
        this.#dialSoon(dialPeriodMs)
      })
    }, delayMs)
  }

  /** A peer that restarts is back within a second or two; both sides dialing at once is avoided by chance. */
  readonly #onDisconnect = (): void => {
    if (!this.#round) this.#dialSoon(500 + Math.random() * 1000)
  }

  async #dialMissing(): Promise<void> {
    const { host, logger } = this.#options
    await this.#ensureGossipWithAll()
    const connected = new Set(host.getPeers().map(String))
    const targets = await this.#targets()
    await Promise.all(
      targets
        .filter(({ peerId }) => !connected.has(peerId))
        .slice(0, maxDials)
        .map(async ({ address }) => {
          try {
            const timeout = AbortSignal.timeout(dialTimeoutMs)
            await host.dial(address, { signal: AbortSignal.any([this.#stopped.signal, timeout]) })
          } catch (error) {
            logger.debug({ peer: address.toString(), reason: (error as Error).message }, 'peer not reachable')
          }
        }),
    )
  }

  async #targets(): Promise<{ peerId: string; address: Multiaddr }[]> {
    const { configured, host, peers, logger } = this.#options
    const self = host.peerId.toString()
    const targets = new Map<string, Multiaddr>()
    for (const { peerId, address } of configured) targets.set(peerId, address)
    try {
      for (const row of await peers.addresses('P2P')) {
        const known = parsePeerAddress(row.address)
        // An address that names another peer than the one who announced it is not its own.
        if (known?.peerId === row.peerId && !targets.has(row.peerId)) targets.set(row.peerId, known.address)
      }
    } catch (error) {
      logger.warn({ err: error }, 'cannot read the peer table; dialing configured peers only')
    }
    targets.delete(self)
    return [...targets].map(([peerId, address]) => ({ peerId, address }))
  }

  readonly #onConnection = (event: CustomEvent<Connection>): void => {
    const nudge = setTimeout(() => {
      this.#nudges.delete(nudge)
      void this.#ensureGossip(event.detail)
    }, identifyPatienceMs)
    this.#nudges.add(nudge)
  }

  /**
   * Nodes of the production network do not answer identify, by which gossipsub learns who speaks gossip
   * (protocol 04 §5): a silent peer is offered gossip unasked. And a gossip stream that broke is opened again.
   */
  async #ensureGossip(connection: Connection): Promise<void> {
    const { host, logger } = this.#options
    const { remotePeer, status } = connection
    const { pubsub } = host.services
    if (status !== 'open' || hasOutboundStream(pubsub, remotePeer)) return
    try {
      const known = (await host.peerStore.has(remotePeer)) && (await host.peerStore.get(remotePeer))
      if (!known || known.protocols.length === 0) {
        // Without this libp2p would not tell gossipsub when the peer leaves.
        await host.peerStore.merge(remotePeer, { protocols: gossipProtocols })
      } else if (!gossipProtocols.some((protocol) => known.protocols.includes(protocol))) {
        return
      }
      offerGossip(pubsub, connection)
    } catch (error) {
      logger.debug({ err: error, peer: remotePeer.toString() }, 'could not open gossip with a peer')
    }
  }

  async #ensureGossipWithAll(): Promise<void> {
    const settled = this.#options.host
      .getConnections()
      .filter(({ timeline }) => Date.now() - timeline.open > identifyPatienceMs)
    await Promise.all(settled.map((connection) => this.#ensureGossip(connection)))
  }
}

/** The peer id a multiaddress ends with, when it holds exactly one (protocol 04 §6.3). */
export function peerIdOf(address: string): string | null {
  const [, peerId, ...more] = address.split('/p2p/')
  return peerId && !peerId.includes('/') && more.length === 0 ? peerId : null
}

/** Reads a multiaddress that ends with `/p2p/…`; `null` when it is not one. */
export function parsePeerAddress(text: string): { peerId: string; address: Multiaddr } | null {
  const peerId = peerIdOf(text)
  if (!peerId) return null
  try {
    return { peerId, address: multiaddr(text) }
  } catch {
    return null
  }
}
