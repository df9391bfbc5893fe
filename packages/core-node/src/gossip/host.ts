import { gossipMessageId } from '@aleph-ts/protocol'
import { yamux } from '@chainsafe/libp2p-yamux'
import { type GossipSub, gossipsub, StrictSign } from '@libp2p/gossipsub'
import { type Identify, identify } from '@libp2p/identify'
import type { Libp2p, PeerId, PrivateKey } from '@libp2p/interface'
import { type Ping, ping } from '@libp2p/ping'
import { type TCPSocketOptions, tcp } from '@libp2p/tcp'
import type { Multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import type { DialRule } from './dial-rule.ts'
import { rememberImportedKeys } from './imported-keys.ts'
import { refuseExcess } from './incoming-rpcs.ts'
import { gatherOutgoingRpcs } from './outgoing-rpcs.ts'
import { maxFrameBytes } from './payload.ts'
import type { PeerConduct } from './peer-conduct.ts'
import { peerScoreParams, scoreThresholds } from './peer-scoring.ts'
import { thriftyNoise } from './thrifty-noise.ts'

/** This node's presence on the peer-to-peer network. */
export type P2pHost = Libp2p<{ identify: Identify; ping: Ping; pubsub: GossipSub }>

export interface HostOptions {
  privateKey: PrivateKey
  /** IP addresses (v4 or v6) to listen on. */
  listenHosts: string[]
  /** TCP port; 0 takes a free one. */
  listenPort: number
  /** Where others are told to dial, when that is not where it listens. */
  announced?: Multiaddr[]
  /** Topics worth remembering a peer's subscription to; others are ignored. */
  topics: string[]
  /** Who may connect, and what we think of peers. */
  conduct: PeerConduct
  /** Which addresses may be connected to; all by default. */
  dialRule?: DialRule
}

/** Bytes queued towards one slow peer before its gossip stream is dropped. */
const maxQueuedBytes = 32 * 1024 * 1024

const noData = new Uint8Array()

/**
 * A libp2p host that speaks with every node of the network: TCP, Noise, Yamux and gossipsub with the network's
 * parameters (protocol 04 §2 and §5). Returned not yet started.
 */
export async function createHost(options: HostOptions): Promise<P2pHost> {
  const { conduct, dialRule } = options
  rememberImportedKeys()
  const isDenied = (peer: PeerId) => !conduct.mayConnect(peer.toString())
  const host: P2pHost = await createLibp2p({
    start: false,
    privateKey: options.privateKey,
    addresses: {
      listen: options.listenHosts.map((ip) => listenAddress(ip.trim(), options.listenPort)),
      announce: (options.announced ?? []).map(String),
    },
    transports: [
      tcp({
        outboundSocketInactivityTimeout: 120_000,
        inboundSocketInactivityTimeout: 120_000,
        // They go to `net.connect` as they are.
        ...(dialRule && { dialOpts: { lookup: dialRule.lookup } as TCPSocketOptions }),
      }),
    ],
    connectionEncrypters: [thriftyNoise()],
    streamMuxers: [yamux()],
    connectionManager: { maxConnections: 500, inboundConnectionThreshold: 50, dialTimeout: 10_000 },
    connectionGater: {
      denyDialPeer: isDenied,
      denyInboundEncryptedConnection: isDenied,
      denyDialMultiaddr: (address) => dialRule?.mayDial(address) === false,
    },
    services: {
      identify: identify(),
      ping: ping(),
      pubsub: gossipsub({
        globalSignaturePolicy: StrictSign,
        asyncValidation: true,
        msgIdFn: (message) => gossipMessageId(message.data),
        // Known copies are recognised before their signature is checked, which costs far more than the id.
        fastMsgIdFn: (message) => idText(gossipMessageId(message.data ?? noData)),
        msgIdToStrFn: idText,
        seenTTL: 1_800_000,
        D: 6,
        Dlo: 5,
        Dhi: 12,
        fallbackToFloodsub: false,
        floodPublish: true,
        batchPublish: true,
        allowPublishToZeroTopicPeers: true,
        ignoreDuplicatePublishError: true,
        maxInboundDataLength: maxFrameBytes,
        maxOutboundBufferSize: maxQueuedBytes,
        allowedTopics: options.topics,
        scoreParams: peerScoreParams(options.topics, (peerId) => conduct.score(peerId)),
        scoreThresholds,
      }),
    },
  })
  refuseExcess(host.services.pubsub, conduct)
  gatherOutgoingRpcs(host.services.pubsub)
  return host
}

function listenAddress(ip: string, port: number): string {
  return `/${ip.includes(':') ? 'ip6' : 'ip4'}/${ip}/tcp/${port}`
}

/** Ids are short ASCII digits. */
function idText(id: Uint8Array): string {
  return Buffer.from(id).toString('latin1')
}
