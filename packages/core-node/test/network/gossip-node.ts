import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { devnetProfile, type Envelope } from '@aleph-ts/protocol'
import { pino } from 'pino'
import { Registry as MetricsRegistry } from 'prom-client'
import { type CoreNodeConfig, defaultLimits } from '../../src/config.ts'
import { CoreEvents } from '../../src/events.ts'
import { Gossip, type GossipContext } from '../../src/gossip/gossip.ts'
import { peerIdOf } from '../../src/gossip/peer-address.ts'
import { createVerifier } from '../../src/identity/create-verifier.ts'
import type { SignatureVerifier } from '../../src/identity/signature-verifier.ts'
import type { Origin } from '../../src/inbox/inbox.ts'
import type { Registry } from '../../src/registry/registry.ts'

/** A real gossip door on loopback, with an inbox that only remembers what it was given. */
export class GossipNode {
  readonly gossip: Gossip
  readonly events: CoreEvents
  readonly received: { envelope: Envelope; origin: Origin }[]
  readonly announced: string[]
  /** What the peer table was told, as rows of peer id, type, address, more addresses. */
  readonly savedPeers: unknown[][]
  readonly #verifier: SignatureVerifier
  readonly #dataDir: string

  private constructor(
    gossip: Gossip,
    events: CoreEvents,
    record: Pick<GossipNode, 'received' | 'announced' | 'savedPeers'>,
    verifier: SignatureVerifier,
    dataDir: string,
  ) {
    this.gossip = gossip
    this.events = events
    this.received = record.received
    this.announced = record.announced
    this.savedPeers = record.savedPeers
    this.#verifier = verifier
    this.#dataDir = dataDir
  }

  static async start(
    options: {
      peers?: string[]
      unannounced?: Envelope[]
      announced?: string[]
      publicUrl?: string
      /** Rows of the peer table. */
      known?: { peer_id: string; peer_type: string; address: string }[]
      /** Multiaddresses that core nodes are registered with. */
      registered?: string[]
      membersOnly?: boolean
    } = {},
  ): Promise<GossipNode> {
    const { known = [] } = options
    const dataDir = await mkdtemp(join(tmpdir(), 'aleph-gossip-'))
    const events = new CoreEvents()
    const logger = pino({ level: 'silent' })
    const record: Pick<GossipNode, 'received' | 'announced' | 'savedPeers'> = {
      received: [],
      announced: [],
      savedPeers: [],
    }
    const pool = {
      async query(sql: string, values: unknown[]) {
        if (sql.includes('insert into peers')) record.savedPeers.push(values)
        const isAsked = sql.includes('from peers')
        return { rows: isAsked ? known.filter(({ peer_type }) => peer_type === values[0]) : [] }
      },
    } as unknown as GossipContext['pool']
    const inbox = {
      async accept(envelope: Envelope, origin: Origin) {
        record.received.push({ envelope, origin })
        return { itemHash: envelope.item_hash, status: 'pending' }
      },
      unannounced: async () => options.unannounced ?? [],
      markAnnounced: async (hashes: string[]) => void record.announced.push(...hashes),
    } as unknown as GossipContext['inbox']
    const config: CoreNodeConfig = {
      dataDir,
      http: { host: '127.0.0.1', port: 0, publicUrl: options.publicUrl },
      p2p: {
        host: '127.0.0.1',
        port: 0,
        peers: options.peers ?? [],
        announced: options.announced,
        membersOnly: options.membersOnly,
      },
      profile: devnetProfile,
      allowPrivateNodes: true,
      evmRpc: {},
      verifyWorkers: 1,
      privateKeyFile: join(dataDir, 'operator.key'),
      logLevel: 'silent',
      limits: defaultLimits,
      maxRetries: 10,
    }
    const registry = registryOf(options.registered ?? [])
    const verifier = createVerifier({ config, pool, logger })
    const metrics = { registry: new MetricsRegistry() } as unknown as GossipContext['metrics']
    const context = { config, profile: devnetProfile, pool, logger, events, inbox, verifier, metrics }
    let gossip: Gossip
    try {
      gossip = await Gossip.create(context, registry, 'test')
    } catch (error) {
      await rm(dataDir, { recursive: true, force: true })
      throw error
    }
    await gossip.start('http://127.0.0.1:4024')
    return new GossipNode(gossip, events, record, verifier, dataDir)
  }

  /** Hashes of the received messages. */
  get hashes(): string[] {
    return this.received.map(({ envelope }) => envelope.item_hash)
  }

  async stop(): Promise<void> {
    await this.gossip.stop()
    await this.#verifier[Symbol.asyncDispose]()
    await rm(this.#dataDir, { recursive: true, force: true })
  }
}

/** A registry in which core nodes stand with these multiaddresses. */
function registryOf(multiaddresses: string[]): Registry {
  const registry = {
    corechannel: { nodes: multiaddresses.map((multiaddress) => ({ multiaddress })) },
    peerIds: new Set(multiaddresses.map(peerIdOf)),
    onChange() {},
  }
  return registry as unknown as Registry
}
