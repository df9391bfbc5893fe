import { generateKeyPair } from '@libp2p/crypto/keys'
import { expect, test } from 'vitest'
import { createHost } from './host.ts'
import { PeerConduct } from './peer-conduct.ts'

/** What is used of gossipsub beyond its public interface, wherever in this folder, as paths of functions and maps. */
const used = {
  functions: [
    'onPeerConnected',
    'getScore',
    'reportMessageValidationResult',
    'handleReceivedRpc',
    'handleReceivedMessage',
    'forwardMessage',
    'sendIDontWants',
    'sendRpc',
    'sendRpcInBatch',
    'seenCache.has',
    'seenCache.put',
    'mcache.put',
    'gossipTracer.deliverMessage',
    'gossipTracer.rejectMessage',
    'score.validateMessage',
    'score.duplicateMessage',
    'score.deliverMessage',
    'score.rejectMessage',
    'score.rejectInvalidMessage',
  ],
  maps: ['streamsOutbound', 'seenCache.entries', 'idontwants', 'topics'],
}

test('gossipsub still has everything that we use of its insides', async () => {
  const host = await createHost({
    privateKey: await generateKeyPair('Ed25519'),
    listenHosts: ['127.0.0.1'],
    listenPort: 0,
    topics: ['messages'],
    conduct: new PeerConduct({ membersOnly: false }),
  })
  const at = (path: string) =>
    path
      .split('.')
      .reduce<unknown>((whole, name) => (whole as Record<string, unknown>)?.[name], host.services.pubsub)
  expect(used.functions.filter((path) => typeof at(path) !== 'function')).toEqual([])
  expect(used.maps.filter((path) => !(at(path) instanceof Map))).toEqual([])
})
