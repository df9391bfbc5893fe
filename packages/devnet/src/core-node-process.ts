import { join } from 'node:path'
import { ServiceProcess } from './process/service-process.ts'

export interface CoreNodeSettings {
  /** Shown to people. */
  name: string
  dataDir: string
  logFile: string
  httpPort?: number
  p2pPort?: number
  /** Multiaddresses of other core nodes. */
  peers?: string[]
  /** Name of a built-in network profile, or path of a JSON one. */
  profile?: string
  ethereumRpc?: string
  operatorKeyFile?: string
  /** Key that speaks for the network: registry, scores, rewards. */
  publisherKeyFile?: string
  /** Key that pays rewards. */
  rewardsKeyFile?: string
  /** Key that puts messages on chain. */
  packerKeyFile?: string
  /** Further settings, as environment variables. */
  environment?: Record<string, string>
}

/** What a core node says of itself once it serves. */
export interface CoreNodeReady {
  ready: true
  url: string
  peerId: string
  multiaddrs: string[]
  /** EVM address of its operator key. */
  address: string
  version: string
}

export type CoreNodeProcess = ServiceProcess<CoreNodeReady>

const script = join(import.meta.dirname, '../../core-node/src/main.ts')
/** Messages are confirmed this often. */
const packerSeconds = 5
const readyTimeoutMs = 120_000

/** A core node as a process of its own; not started yet. */
export function coreNodeProcess(settings: CoreNodeSettings): CoreNodeProcess {
  return new ServiceProcess({
    name: settings.name,
    script,
    logFile: settings.logFile,
    readyTimeoutMs,
    env: {
      ALEPH_CORE_DATA_DIR: settings.dataDir,
      ALEPH_CORE_HTTP_PORT: String(settings.httpPort ?? 0),
      ALEPH_CORE_P2P_PORT: String(settings.p2pPort ?? 0),
      ALEPH_CORE_P2P_PEERS: (settings.peers ?? []).join(','),
      ALEPH_CORE_PROFILE: settings.profile ?? 'devnet',
      ALEPH_CORE_ETHEREUM_RPC: settings.ethereumRpc ?? '',
      ALEPH_CORE_PRIVATE_KEY_FILE: settings.operatorKeyFile ?? '',
      ALEPH_CORE_PUBLISHER_KEY_FILE: settings.publisherKeyFile ?? '',
      ALEPH_CORE_REWARDS_KEY_FILE: settings.rewardsKeyFile ?? '',
      ALEPH_CORE_PACKER_KEY_FILE: settings.packerKeyFile ?? '',
      ALEPH_CORE_PACKER_SECONDS: String(packerSeconds),
      ALEPH_CORE_ALLOW_PRIVATE_NODES: '1',
      ...settings.environment,
    },
  })
}

/** Starts one core node on free ports, for a bench or a test that needs no whole network. */
export async function startCoreNode(
  settings: CoreNodeSettings,
): Promise<CoreNodeReady & { pid: number; stop: () => Promise<void> }> {
  const service = coreNodeProcess(settings)
  const ready = await service.start()
  return { ...ready, pid: service.pid!, stop: () => service.stop() }
}
