import type { Connection } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { Logger } from 'pino'
import { maxAddresses } from './announcement.ts'
import { hasOutboundStream, offerGossip } from './gossipsub-internals.ts'
import type { P2pHost } from './host.ts'
import { type PeerAddress, parsePeerAddress } from './peer-address.ts'
import type { PeerTable } from './peer-table.ts'

const dialPeriodMs = 10_000
/** A peer that was lost is often back within seconds: so many dials follow soon, with so much time between, ms. */
const quickDials = 8
const quickDialMs = 1_000
const dialTimeoutMs = 10_000
const maxDials = 100
/** IPFS nodes that are dialed: a file is where it was published, and at nodes that keep everything. */
const maxIpfsPeers = 32
/** Addresses of one peer that are tried together: from the operator, the registry, and its own announcements. */
const maxAddressesDialed = 2 + maxAddresses
/** Time a fresh connection has to show up in gossipsub by itself, ms. */
const identifyPatienceMs = 2_000
const gossipProtocols = ['/meshsub/1.1.0', '/meshsub/1.0.0']

export interface PeeringOptions {
  host: P2pHost
  peers: PeerTable
  /** The peers the operator configured. */
  configured: PeerAddress[]
  /** Multiaddresses that core nodes are registered with; unusable ones are skipped. */
  registered: () => string[]
  logger: Logger
}

/**
 * Keeps this node connected: dials configured, registered and announced peers and the IPFS nodes beside them, and again
 * when they are lost (protocol 04 §6.4).
 */
export class Peering {
  readonly #options: PeeringOptions
  readonly #stopped = new AbortController()
  readonly #nudges = new Set<NodeJS.Timeout>()
  #timer: NodeJS.Timeout | undefined
  #round: Promise<void> | undefined
  #quickDialsLeft = quickDials

  constructor(options: PeeringOptions) {
    this.#options = options
  }

  start(): void {
    this.#options.host.addEventListener('connection:open', this.#onConnection)
    this.#options.host.addEventListener('peer:disconnect', this.#onDisconnect)
    this.#dialIn(0)
  }

  async stop(): Promise<void> {
    this.#stopped.abort()
    clearTimeout(this.#timer)
    for (const nudge of this.#nudges) clearTimeout(nudge)
    this.#options.host.removeEventListener('connection:open', this.#onConnection)
    this.#options.host.removeEventListener('peer:disconnect', this.#onDisconnect)
    await this.#round
  }

  /** Looks for missing peers now rather than later: one was lost, or the registry names new ones. */
  hurry(): void {
    const alreadyQuick = this.#quickDialsLeft > 0
    this.#quickDialsLeft = quickDials
    // Chance keeps two nodes that lost each other from dialing each other at the same moment.
    if (!alreadyQuick && !this.#round) this.#dialIn(quickDialMs * (0.5 + Math.random()))
  }

  #dialIn(delayMs: number): void {
    if (this.#stopped.signal.aborted) return
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => {
      this.#round = this.#dialMissing().finally(() => {
        this.#round = undefined
        this.#quickDialsLeft -= 1
        this.#dialIn(this.#quickDialsLeft > 0 ? quickDialMs : dialPeriodMs)
      })
    }, delayMs)
  }

  readonly #onDisconnect = (): void => this.hurry()

  async #dialMissing(): Promise<void> {
    const { host, logger } = this.#options
    await this.#ensureGossipWithAll()
    const connected = new Set(host.getPeers().map(String))
    const targets = await this.#targets()
    await Promise.all(
      [...targets]
        .filter(([peerId]) => !connected.has(peerId))
        .slice(0, maxDials)
        .map(async ([peer, addresses]) => {
          try {
            const timeout = AbortSignal.timeout(dialTimeoutMs)
            await host.dial(addresses, { signal: AbortSignal.any([this.#stopped.signal, timeout]) })
          } catch (error) {
            const reason = (error as Error).message
            logger.debug({ peer, addresses: addresses.map(String), reason }, 'peer not reachable')
          }
        }),
    )
  }

  /** Peers and all their addresses that we know of, the most trusted ones first. */
  async #targets(): Promise<Map<string, Multiaddr[]>> {
    const { configured, registered, host } = this.#options
    const known = [
      ...configured,
      ...registered().flatMap((text) => parsePeerAddress(text) ?? []),
      ...(await this.#announced()),
    ]
    const targets = new Map<string, Multiaddr[]>()
    for (const { peerId, address } of known) {
      const addresses = targets.get(peerId) ?? []
      const isNew = !addresses.some((other) => other.equals(address))
      if (isNew && addresses.length < maxAddressesDialed) targets.set(peerId, [...addresses, address])
    }
    targets.delete(host.peerId.toString())
    return targets
  }

  async #announced(): Promise<PeerAddress[]> {
    const { peers, logger } = this.#options
    try {
      const own = (await peers.addresses('P2P')).flatMap((row) => {
        const peer = parsePeerAddress(row.address)
        // An address that names another peer than the one who announced it is not its own.
        return peer?.peerId === row.peerId ? peer : []
      })
      // The IPFS node beside a core node has a peer id of its own; blocks are asked of those that are connected.
      const beside = (await peers.addresses('IPFS')).flatMap(({ address }) => parsePeerAddress(address) ?? [])
      return [...own, ...beside.slice(0, maxIpfsPeers)]
    } catch (error) {
      logger.warn({ err: error }, 'cannot read the peer table; dialing configured peers only')
      return []
    }
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
