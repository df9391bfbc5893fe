import type { StreamNetwork } from '@aleph-ts/protocol'
import packageJson from '../../../package.json' with { type: 'json' }
import type { ComputeNodeConfig } from '../../config.ts'
import type { NodeIdentity } from '../core-nodes/node-identity.ts'

/** Facts of the node that its routes tell. */
export interface NodeFacts {
  version: string
  /** May become known while the node runs. */
  readonly nodeHash: string | null
  ownerAddress: string
  domainName: string
  apiServers: string[]
  network: string
  reuseTimeoutSeconds: number
  checkProgram: string
  forwardHost: string
  ipv6Pool: string
  /** Whether instances are connected by taps of this host. */
  taps: boolean
  ndpProxy: boolean
  paymentIntervalSeconds: number
  gpuSupport: boolean
  paymentReceiver: string | null
  /** Where streams of tokens are; `active` where this node reads them. */
  streams: (StreamNetwork & { active: boolean })[]
}

/** @param taps whether instances are connected by taps of this host */
export function nodeFacts(
  config: ComputeNodeConfig,
  identity: NodeIdentity,
  forwardHost: string,
  taps: boolean,
): NodeFacts {
  const { ownerAddress, domainName, apiServers, profile, reuseTimeoutMs } = config
  return {
    version: packageJson.version,
    get nodeHash() {
      return identity.hash
    },
    ownerAddress,
    domainName,
    apiServers,
    network: profile.name,
    reuseTimeoutSeconds: reuseTimeoutMs / 1000,
    checkProgram: config.checkProgram,
    forwardHost,
    ipv6Pool: config.ipv6Pool,
    taps,
    ndpProxy: config.network.ndpProxy,
    paymentIntervalSeconds: config.paymentIntervalMs / 1000,
    gpuSupport: config.gpuSupport,
    paymentReceiver: config.paymentReceiver,
    streams: config.profile.streams.map((stream) => ({
      ...stream,
      active: config.paymentReceiver !== null && config.evmRpcUrls[stream.chain] !== undefined,
    })),
  }
}
