import { addressKey, type CorechannelAggregate } from '@aleph-ts/protocol'
import type { CoreNodeContext } from '../context.ts'
import { loadPublisherKey, type OperatorKey } from '../operator-key.ts'
import { ownCoreNode } from './own-nodes.ts'

/**
 * For which core nodes this process places VMs (protocol 06 §8.5). In an open network every core node does so for
 * itself. Where the profile names one scheduler, that one does it for all, and the others only watch.
 */
export interface Mandate {
  /** What is decided is published with it, and compute nodes are told with it. */
  key: OperatorKey
  /** Whose allocations alone count; null in an open network. */
  scheduler: string | null
  /** Hashes of the core nodes that this process acts for. */
  coreNodes(corechannel: CorechannelAggregate): ReadonlySet<string>
}

/**
 * @param options.peerId libp2p id of this process, which tells it apart from others of the same owner
 * @throws {ConfigError} when the publisher's key cannot be read
 */
export async function createMandate(
  { config, profile, operatorKey }: Pick<CoreNodeContext, 'config' | 'profile' | 'operatorKey'>,
  { peerId }: { peerId: string },
): Promise<Mandate> {
  const { scheduler = null } = profile.placement
  if (scheduler === null) return openMandate(operatorKey, peerId)
  const key = await loadPublisherKey(config, operatorKey)
  return centralMandate(key, scheduler)
}

export function openMandate(key: OperatorKey, peerId: string): Mandate {
  return {
    key,
    scheduler: null,
    coreNodes: (corechannel) => {
      const self = ownCoreNode(corechannel, { address: key.address, peerId })
      return new Set(self === null ? [] : [self])
    },
  }
}

export function centralMandate(key: OperatorKey, scheduler: string): Mandate {
  const isScheduler = addressKey('ETH', key.address) === addressKey('ETH', scheduler)
  return {
    key,
    scheduler,
    coreNodes: ({ nodes }) =>
      new Set(isScheduler ? nodes.filter(({ status }) => status === 'active').map(({ hash }) => hash) : []),
  }
}
