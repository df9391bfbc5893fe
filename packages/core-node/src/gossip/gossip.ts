import { join } from 'node:path'
import type { Envelope } from '@aleph-ts/protocol'
import { type GossipsubMessage, type SubscriptionChangeData, TopicValidatorResult } from '@libp2p/gossipsub'
import { type Multiaddr, multiaddr } from '@multiformats/multiaddr'
import type { CoreNodeContext } from '../context.ts'
import type { Registry } from '../registry/registry.ts'
import { Alive } from './alive.ts'
import type { Announcement } from './announcement.ts'
import { dialRule } from './dial-rule.ts'
import { Discipline } from './discipline.ts'
import { GossipMetrics } from './gossip-metrics.ts'
import { type GossipedMessage, report } from './gossipsub-internals.ts'
import { createHost, type P2pHost } from './host.ts'
import { loadHostKey } from './host-key.ts'
import { MessageJudge } from './message-judge.ts'
import { MessageRelay } from './message-relay.ts'
import { addressesToTell } from './own-addresses.ts'
import { type PeerAddress, parsePeerAddress } from './peer-address.ts'
import { PeerConduct } from './peer-conduct.ts'
import { PeerTable } from './peer-table.ts'
import { Peering } from './peering.ts'
import { Publisher } from './publisher.ts'

export type GossipContext = Pick<
  CoreNodeContext,
  'config' | 'profile' | 'pool' | 'logger' | 'events' | 'inbox' | 'verifier' | 'metrics'
>

/** A setting of the peer-to-peer network that cannot be used; the message names it. */
export class GossipConfigError extends Error {
  readonly code = 'invalid_config'
}

/** Messages handed to the inbox and not yet durable, above which further ones are left to catch-up. */
const maxInFlight = 10_000

/**
 * The gossip door: spreads what our API accepted, checks and takes in what others spread, announces this node and
 * keeps it connected (protocol 04 §2–6).
 */
export class Gossip {
  readonly host: P2pHost
  readonly peers: PeerTable
  readonly #context: GossipContext
  readonly #registry: Registry
  readonly #judge: MessageJudge
  readonly #relay: MessageRelay
  readonly #publisher: Publisher
  readonly #peering: Peering
  readonly #alive: Alive
  readonly #conduct: PeerConduct
  readonly #discipline: Discipline
  readonly #metrics: GossipMetrics
  readonly #configuredPeers: ReadonlySet<string>
  #httpUrl: string | undefined
  #inFlight = 0

  private constructor(
    context: GossipContext,
    registry: Registry,
    { host, conduct, version }: { host: P2pHost; conduct: PeerConduct; version: string },
  ) {
    const { profile, pool, logger } = context
    this.#context = context
    this.#registry = registry
    this.host = host
    this.#conduct = conduct
    conduct.isMember = (peerId) => this.isMember(peerId)
    this.#metrics = new GossipMetrics(context.metrics.registry, host)
    this.#discipline = new Discipline(host, conduct, logger)
    this.#judge = new MessageJudge(context.verifier)
    this.peers = new PeerTable(pool)
    const configured = configuredPeers(context)
    this.#configuredPeers = new Set(configured.map(({ peerId }) => peerId))
    const { pubsub } = host.services
    this.#relay = new MessageRelay(pubsub, profile.topics.messages)
    this.#publisher = new Publisher({
      pubsub,
      topic: profile.topics.messages,
      inbox: context.inbox,
      judge: this.#judge,
      metrics: this.#metrics,
      logger,
    })
    const registered = () => registry.corechannel?.nodes.map((node) => node.multiaddress) ?? []
    this.#peering = new Peering({ host, peers: this.peers, configured, registered, logger })
    this.#alive = new Alive({
      pubsub,
      topic: profile.topics.alive,
      peers: this.peers,
      own: () => this.#ownAnnouncements(),
      version,
      isMember: (peerId) => this.isMember(peerId),
      logger,
    })
  }

  /**
   * Prepares the host; nothing listens before {@link start}.
   *
   * @throws {GossipConfigError} when a configured peer is not a multiaddress with `/p2p/…`
   * @throws {HostKeyError} when the stored host key is broken
   */
  static async create(context: GossipContext, registry: Registry, version: string): Promise<Gossip> {
    const { config, profile } = context
    const conduct = new PeerConduct({ membersOnly: config.p2p.membersOnly ?? false })
    const host = await createHost({
      privateKey: await loadHostKey(join(config.dataDir, 'keys')),
      listenHosts: config.p2p.host.split(','),
      announced: (config.p2p.announced ?? []).map(parseOwnAddress),
      listenPort: config.p2p.port,
      topics: [profile.topics.messages, profile.topics.alive],
      conduct,
      dialRule: dialRule(configuredPeers(context), { allowPrivate: config.allowPrivateNodes ?? false }),
    })
    return new Gossip(context, registry, { host, conduct, version })
  }

  /** Listens, subscribes and dials. `httpUrl`: where this node's own API answers, as others should call it. */
  async start(httpUrl?: string): Promise<void> {
    const { profile, events } = this.#context
    const { pubsub } = this.host.services
    await this.host.start()
    const { publicUrl } = this.#context.config.http
    this.#httpUrl = publicUrl ?? (httpUrl && reachableUrl(httpUrl, addressesToTell(this.multiaddrs)[0]))
    this.#relay.start(this.#onMessage)
    pubsub.addEventListener('gossipsub:message', this.#onAnnouncement)
    pubsub.subscribe(profile.topics.messages)
    pubsub.addEventListener('subscription-change', this.#onSubscription)
    events.on('accepted', this.#onAccepted)
    this.#registry.onChange(() => {
      this.#alive.reconsiderStrangers()
      this.#peering.hurry()
    })
    this.#alive.start()
    this.#peering.start()
    this.#discipline.start()
    await this.#publisher.resume()
  }

  async stop(): Promise<void> {
    this.#context.events.off('accepted', this.#onAccepted)
    const { pubsub } = this.host.services
    pubsub.removeEventListener('subscription-change', this.#onSubscription)
    pubsub.removeEventListener('gossipsub:message', this.#onAnnouncement)
    this.#alive.stop()
    this.#discipline.stop()
    await this.#peering.stop()
    await this.#publisher.stop()
    this.#relay.stop()
    await this.host.stop()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }

  /** Addresses others can dial, each ending with our peer id. */
  get multiaddrs(): string[] {
    return this.host.getMultiaddrs().map(String)
  }

  /** Where this node's own API answers, as given to {@link start}. */
  get httpUrl(): string | undefined {
    return this.#httpUrl
  }

  /** Whether a peer is configured by the operator or registered as a core node. */
  isMember(peerId: string): boolean {
    return this.#configuredPeers.has(peerId) || this.#registry.peerIds.has(peerId)
  }

  readonly #onAccepted = (envelopes: Envelope[]): void => this.#publisher.publish(envelopes)

  readonly #onSubscription = (event: CustomEvent<SubscriptionChangeData>): void => {
    const joined = event.detail.subscriptions.filter(({ subscribe }) => subscribe).map(({ topic }) => topic)
    if (joined.includes(this.#context.profile.topics.messages)) this.#publisher.flush()
    if (joined.includes(this.#context.profile.topics.alive)) this.#alive.greet()
  }

  /** The door to announcements has looked at them already. */
  readonly #onAnnouncement = ({ detail }: CustomEvent<GossipsubMessage>): void =>
    report(this.host.services.pubsub, detail, TopicValidatorResult.Accept)

  /** Nothing is passed on before it is found to be in order. */
  readonly #onMessage = (message: GossipedMessage): void => {
    if (!this.#conduct.admit(message.source) || this.#inFlight >= maxInFlight) {
      this.#metrics.count('excess')
      this.#relay.refuse(message, 'ignore')
      return
    }
    this.#inFlight += 1
    void this.#take(message)
  }

  async #take(message: GossipedMessage): Promise<void> {
    const peer = message.source
    try {
      const judgement = await this.#judge.judge(message.data)
      this.#metrics.count(judgement.verdict)
      if (judgement.verdict !== 'accept') {
        this.#relay.refuse(message, judgement.verdict)
        this.#context.logger.debug({ peer, reason: judgement.reason }, 'gossiped message not taken')
        if (judgement.verdict === 'ignore' && judgement.reason !== 'duplicate') this.#conduct.doubt(peer)
        return
      }
      this.#relay.accept(message)
      this.#metrics.heard(judgement.envelope.time)
      await this.#context.inbox.accept(judgement.envelope, { door: 'gossip', peer, verified: true })
    } catch (error) {
      this.#relay.abandon(message)
      this.#context.logger.warn({ err: error, peer }, 'gossiped message left to catch-up')
    } finally {
      this.#inFlight -= 1
    }
  }

  #ownAnnouncements(): Announcement[] {
    const announcements: Announcement[] = []
    const [first, ...more] = addressesToTell(this.multiaddrs)
    // The same host gives blocks to IPFS nodes, by bitswap.
    for (const peer_type of ['P2P', 'IPFS'] as const) {
      if (first) announcements.push({ addresses: [first, ...more], peer_type })
    }
    if (this.#httpUrl) announcements.push({ addresses: [this.#httpUrl], peer_type: 'HTTP' })
    return announcements
  }
}

/** An API that listens on all interfaces is announced on the one that the host is announced on. */
function reachableUrl(url: string, ownAddress: string | undefined): string {
  const [, family, ip] = ownAddress?.split('/') ?? []
  return ip ? url.replace(/\/\/(0\.0\.0\.0|\[::\])/, family === 'ip6' ? `//[${ip}]` : `//${ip}`) : url
}

function configuredPeers({ config, profile }: Pick<GossipContext, 'config' | 'profile'>): PeerAddress[] {
  return [...profile.bootstrapPeers, ...config.p2p.peers].map(parseConfiguredPeer)
}

function parseOwnAddress(text: string): Multiaddr {
  try {
    const address = multiaddr(text)
    if (address.getComponents().every(({ name }) => name !== 'p2p')) return address
  } catch {
    // Whatever is wrong with it, this is how it should be.
  }
  throw new GossipConfigError(
    `"${text}" (of ALEPH_CORE_P2P_ANNOUNCED) is no address of this node; write it as /dns4/node.example/tcp/4025, without /p2p`,
  )
}

function parseConfiguredPeer(text: string): PeerAddress {
  const peer = parsePeerAddress(text)
  if (peer) return peer
  throw new GossipConfigError(
    `"${text}" (of ALEPH_CORE_P2P_PEERS or the profile's bootstrapPeers) is not a peer address; write it as /ip4/203.0.113.7/tcp/4025/p2p/<peer id>`,
  )
}
