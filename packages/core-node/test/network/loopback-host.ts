import { generateKeyPair } from '@libp2p/crypto/keys'
import { createHost, type P2pHost } from '../../src/gossip/host.ts'
import { PeerConduct } from '../../src/gossip/peer-conduct.ts'

/** A host of its own on loopback, which talks to anybody. */
export async function startLoopbackHost(topics: string[] = []): Promise<P2pHost> {
  const host = await createHost({
    privateKey: await generateKeyPair('Ed25519'),
    listenHosts: ['127.0.0.1'],
    listenPort: 0,
    topics,
    conduct: new PeerConduct({ membersOnly: false }),
  })
  await host.start()
  return host
}
