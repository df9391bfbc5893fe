import { readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { isAbsolute, resolve } from 'node:path'
import {
  type Chain,
  devnetProfile,
  isChain,
  mainnetProfile,
  type NetworkProfile,
  parseNetworkProfile,
  signatureScheme,
} from '@aleph-ts/protocol'
import { z } from 'zod'
import { endpointUrls } from './chains/json-endpoint.ts'

/**
 * `all`: the whole node. A node may also be several processes on one `DATABASE_URL` and one data folder: one with
 * `process` (or `all`), which alone writes the state and speaks to other nodes, and any number with `api`, which serve
 * clients.
 */
export const roles = ['all', 'process', 'api'] as const
export type Role = (typeof roles)[number]

/** Settings of one core node; every field can be given by `ALEPH_CORE_…` environment variables. */
export interface CoreNodeConfig {
  /** What this process does of the node's work; all of it by default. */
  role?: Role
  /** Folder of everything this node keeps: database, files, keys. */
  dataDir: string
  http: {
    host: string
    port: number
    /** Where others find the API; by default where it listens. */
    publicUrl?: string | undefined
  }
  p2p: {
    /** IP address to listen on, or several with commas. */
    host: string
    port: number
    peers: string[]
    /** Multiaddresses that others are told to dial, without `/p2p`; by default those it listens on. */
    announced?: string[]
    /** Seconds between two comparisons with peers. */
    reconcileSeconds?: number
    /** Only configured and registered peers may connect. */
    membersOnly?: boolean
  }
  profile: NetworkProfile
  /** JSON-RPC URL (or several, with commas) of the Ethereum chain balances are read from; without it every balance is zero. */
  ethereumRpc?: string
  /** JSON-RPC URLs of chains whose wallet contracts are asked about signatures. */
  evmRpc: Partial<Record<Chain, string>>
  /** Multichain indexer (or several, with commas) that tells what contracts say on EVM chains without an endpoint here. */
  evmIndexer?: string
  /** Event indexer (or several, with commas) of Tezos, where its contract's messages are read. */
  tezosIndexer?: string
  /** JSON-RPC URL (or several, with commas) of Solana, where its program's messages are read. */
  solanaRpc?: string
  /** RPC of a Kubo node that is asked for what no core node has. */
  ipfsUrl?: string | undefined
  /** Threads that check signatures. */
  verifyWorkers: number
  /** EVM key of the operator, hex text; created in `dataDir` when absent. */
  privateKeyFile: string
  /**
   * EVM key with which this node speaks for the network, where the profile names its address (registry, scores,
   * rewards, central placement), hex text; by default the operator's.
   */
  publisherKeyFile?: string
  /** EVM key of the profile's `addresses.rewardsPayer`, hex text: this node pays each day's rewards. */
  rewardsKeyFile?: string
  /** How this node looks after its compute nodes, seconds. */
  placement?: {
    /** Between two looks at each. */
    pollSeconds: number
    /** How long one may be away before its programs start elsewhere. */
    moveProgramsAfterSeconds: number
    /** The same for its instances, which lose their disks. */
    moveInstancesAfterSeconds: number
    /** How long one's score may be too low before it is emptied. */
    drainAfterSeconds?: number
    /** How long one may be unlinked before it is emptied. */
    unlinkSeconds?: number
    /** How long a plan that would stop most VMs of one for no reason is held back. */
    holdPlansSeconds?: number
  }
  /** Table of autonomous systems (iptoasn.com, TSV), for observers; without it those of nodes stay unknown. */
  asnFile?: string | undefined
  /** Nodes of this network may have private addresses; false: only public ones are connected to. */
  allowPrivateNodes?: boolean
  /** How often balances are compared with costs, seconds; an hour by default. */
  reviewSeconds?: number
  /** Puts unconfirmed messages on chain in batches; without it this node only reads batches. */
  packer?: PackerSettings
  /** External PostgreSQL; without it an embedded one runs in `dataDir`. */
  databaseUrl?: string
  /** A replica of it that the API reads from. */
  databaseReadUrl?: string
  logLevel: string
  limits: {
    /** Body of any JSON route, bytes. */
    bodyBytes: number
    /** One stored file, bytes. */
    fileBytes: number
    /** One file uploaded without a signed message, bytes. */
    unsignedFileBytes: number
    /**
     * Requests of one address; 0: as many as it likes. Undefined: a generous number for all but this machine.
     */
    requestsPerMinute?: number | undefined
    /** Queries of the API that run longer are cancelled, ms. */
    queryMs: number
    /** Messages waiting in the inbox above which the API door answers 503. */
    pendingMessages: number
  }
  /** Retries of a message before it is refused (protocol 02 §5.1). */
  maxRetries: number
}

export interface PackerSettings {
  /** EVM key that pays and signs, hex text; it must be one of the profile's authorised emitters. */
  privateKeyFile: string
  /** Pause between batches. */
  seconds: number
  /** Highest price of gas at which a batch is sent, gwei. */
  mostGweiPerGas: number
}

/** A setting that cannot be used; the message names it and says how to mend it. */
export class ConfigError extends Error {
  readonly code = 'invalid_config'
}

export const defaultLimits: CoreNodeConfig['limits'] = {
  bodyBytes: 1024 * 1024,
  fileBytes: 100 * 1024 * 1024,
  unsignedFileBytes: 25 * 1024 * 1024,
  queryMs: 15_000,
  pendingMessages: 500_000,
}

const port = z.coerce.number().int().min(0).max(65535)

const endpoints = z
  .string()
  .refine(
    (text) => endpointUrls(text).length > 0,
    'give http:// or https:// addresses, with commas between them; WebSocket endpoints are not read',
  )
  .optional()

const environmentSchema = z.object({
  ALEPH_CORE_DATA_DIR: z.string().min(1),
  ALEPH_CORE_HTTP_HOST: z.string().min(1).default('127.0.0.1'),
  ALEPH_CORE_HTTP_PORT: port.default(4024),
  ALEPH_CORE_PUBLIC_URL: z.url({ protocol: /^https?$/ }).optional(),
  ALEPH_CORE_P2P_HOST: z.string().min(1).default('127.0.0.1'),
  ALEPH_CORE_P2P_PORT: port.default(4025),
  ALEPH_CORE_P2P_PEERS: z.string().default(''),
  ALEPH_CORE_P2P_ANNOUNCED: z.string().default(''),
  ALEPH_CORE_P2P_MEMBERS_ONLY: z.stringbool().default(false),
  ALEPH_CORE_RECONCILE_SECONDS: z.coerce.number().min(1).max(86_400).default(30),
  ALEPH_CORE_PROFILE: z.string().min(1).default('devnet'),
  ALEPH_CORE_ETHEREUM_RPC: endpoints,
  ALEPH_CORE_EVM_INDEXER: endpoints,
  ALEPH_CORE_TEZOS_INDEXER: endpoints,
  ALEPH_CORE_SOLANA_RPC: endpoints,
  ALEPH_CORE_IPFS_URL: z.url({ protocol: /^https?$/ }).optional(),
  ALEPH_CORE_COMPUTE_POLL_SECONDS: z.coerce.number().positive().max(3_600).default(30),
  ALEPH_CORE_MOVE_PROGRAMS_AFTER_SECONDS: z.coerce.number().positive().default(600),
  ALEPH_CORE_MOVE_INSTANCES_AFTER_SECONDS: z.coerce
    .number()
    .positive()
    .default(6 * 3_600),
  ALEPH_CORE_DRAIN_AFTER_SECONDS: z.coerce
    .number()
    .positive()
    .default(3 * 86_400),
  ALEPH_CORE_UNLINK_SECONDS: z.coerce.number().nonnegative().default(900),
  ALEPH_CORE_HOLD_PLANS_SECONDS: z.coerce
    .number()
    .nonnegative()
    .default(6 * 3_600),
  ALEPH_CORE_ASN_FILE: z.string().min(1).optional(),
  ALEPH_CORE_ALLOW_PRIVATE_NODES: z.stringbool().default(false),
  ALEPH_CORE_REVIEW_SECONDS: z.coerce.number().min(1).max(86_400).default(3_600),
  ALEPH_CORE_VERIFY_WORKERS: z.coerce.number().int().min(1).max(256).optional(),
  ALEPH_CORE_PACKER_KEY_FILE: z.string().min(1).optional(),
  ALEPH_CORE_PACKER_SECONDS: z.coerce.number().min(1).max(86_400).default(35),
  ALEPH_CORE_PACKER_MAX_GWEI: z.coerce.number().positive().max(1_000_000).default(150),
  ALEPH_CORE_PRIVATE_KEY_FILE: z.string().min(1).optional(),
  ALEPH_CORE_PUBLISHER_KEY_FILE: z.string().min(1).optional(),
  ALEPH_CORE_REWARDS_KEY_FILE: z.string().min(1).optional(),
  DATABASE_URL: z.string().min(1).optional(),
  DATABASE_READ_URL: z.string().min(1).optional(),
  ALEPH_CORE_DATABASE_READ_URL: z.string().min(1).optional(),
  ALEPH_CORE_ROLE: z.enum(roles).default('all'),
  ALEPH_CORE_REQUESTS_PER_MINUTE: z.coerce.number().int().min(0).optional(),
  ALEPH_CORE_LOG_LEVEL: z
    .enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'])
    .default('info'),
})

/** Every variable a node reads, besides `ALEPH_CORE_EVM_RPC_<CHAIN>`. */
export const settingNames: readonly string[] = Object.keys(environmentSchema.shape)

/**
 * Reads the settings from the environment; empty variables count as absent.
 *
 * @throws {ConfigError} naming every variable that is missing or wrong
 */
export function configFromEnvironment(environment: Record<string, string | undefined>): CoreNodeConfig {
  const given = Object.fromEntries(Object.entries(environment).filter(([, value]) => value !== ''))
  const parsed = environmentSchema.safeParse(given)
  if (!parsed.success) {
    const problems = parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`)
    throw new ConfigError(`Set these environment variables right: ${problems.join('; ')}`)
  }
  const env = parsed.data
  const dataDir = resolve(env.ALEPH_CORE_DATA_DIR)
  const profile = loadProfile(env.ALEPH_CORE_PROFILE)
  return {
    role: env.ALEPH_CORE_ROLE,
    dataDir,
    http: {
      host: env.ALEPH_CORE_HTTP_HOST,
      port: env.ALEPH_CORE_HTTP_PORT,
      publicUrl: env.ALEPH_CORE_PUBLIC_URL,
    },
    p2p: {
      host: env.ALEPH_CORE_P2P_HOST,
      port: env.ALEPH_CORE_P2P_PORT,
      peers: listOf(env.ALEPH_CORE_P2P_PEERS),
      announced: listOf(env.ALEPH_CORE_P2P_ANNOUNCED),
      reconcileSeconds: env.ALEPH_CORE_RECONCILE_SECONDS,
      membersOnly: env.ALEPH_CORE_P2P_MEMBERS_ONLY,
    },
    profile,
    ethereumRpc: env.ALEPH_CORE_ETHEREUM_RPC,
    evmRpc: evmRpcUrls(given),
    evmIndexer: env.ALEPH_CORE_EVM_INDEXER,
    tezosIndexer: env.ALEPH_CORE_TEZOS_INDEXER,
    solanaRpc: env.ALEPH_CORE_SOLANA_RPC,
    ipfsUrl: env.ALEPH_CORE_IPFS_URL,
    verifyWorkers: env.ALEPH_CORE_VERIFY_WORKERS ?? Math.max(1, availableParallelism() - 1),
    privateKeyFile: env.ALEPH_CORE_PRIVATE_KEY_FILE ?? resolve(dataDir, 'operator.key'),
    publisherKeyFile: env.ALEPH_CORE_PUBLISHER_KEY_FILE,
    rewardsKeyFile: env.ALEPH_CORE_REWARDS_KEY_FILE,
    placement: {
      pollSeconds: env.ALEPH_CORE_COMPUTE_POLL_SECONDS,
      moveProgramsAfterSeconds: env.ALEPH_CORE_MOVE_PROGRAMS_AFTER_SECONDS,
      moveInstancesAfterSeconds: env.ALEPH_CORE_MOVE_INSTANCES_AFTER_SECONDS,
      drainAfterSeconds: env.ALEPH_CORE_DRAIN_AFTER_SECONDS,
      unlinkSeconds: env.ALEPH_CORE_UNLINK_SECONDS,
      holdPlansSeconds: env.ALEPH_CORE_HOLD_PLANS_SECONDS,
    },
    asnFile: env.ALEPH_CORE_ASN_FILE,
    allowPrivateNodes: env.ALEPH_CORE_ALLOW_PRIVATE_NODES,
    reviewSeconds: env.ALEPH_CORE_REVIEW_SECONDS,
    packer: env.ALEPH_CORE_PACKER_KEY_FILE
      ? {
          privateKeyFile: env.ALEPH_CORE_PACKER_KEY_FILE,
          seconds: env.ALEPH_CORE_PACKER_SECONDS,
          mostGweiPerGas: env.ALEPH_CORE_PACKER_MAX_GWEI,
        }
      : undefined,
    databaseUrl: env.DATABASE_URL,
    databaseReadUrl: env.ALEPH_CORE_DATABASE_READ_URL ?? env.DATABASE_READ_URL,
    logLevel: env.ALEPH_CORE_LOG_LEVEL,
    limits: {
      ...defaultLimits,
      fileBytes: profile.limits.fileBytes,
      requestsPerMinute: env.ALEPH_CORE_REQUESTS_PER_MINUTE,
    },
    maxRetries: 10,
  }
}

function listOf(text: string): string[] {
  return text
    .split(',')
    .map((part) => part.trim())
    .filter(Boolean)
}

/**
 * The same settings for a process of another role.
 *
 * @throws {ConfigError} for what is no role, and for one that needs a shared database when there is none
 */
export function withRole(config: CoreNodeConfig, name: string): CoreNodeConfig {
  const role = roles.find((known) => known === name)
  if (!role) throw new ConfigError(`role: "${name}" is none; there are ${roles.join(', ')}`)
  if (role !== 'all' && !config.databaseUrl) {
    throw new ConfigError(
      'DATABASE_URL: the processes of a node share one PostgreSQL; name it, or run with role "all"',
    )
  }
  return { ...config, role }
}

const rpcVariable = 'ALEPH_CORE_EVM_RPC_'

/** `ALEPH_CORE_EVM_RPC_<CHAIN>`; Ethereum's is also that of the balances. */
function evmRpcUrls(given: Record<string, string | undefined>): Partial<Record<Chain, string>> {
  const urls: Partial<Record<Chain, string>> = {}
  if (given.ALEPH_CORE_ETHEREUM_RPC) urls.ETH = given.ALEPH_CORE_ETHEREUM_RPC
  for (const [name, url] of Object.entries(given)) {
    if (!name.startsWith(rpcVariable)) continue
    const chain = name.slice(rpcVariable.length)
    if (!isChain(chain) || signatureScheme(chain) !== 'evm') {
      throw new ConfigError(`${name}: "${chain}" is no chain with wallet contracts`)
    }
    if (endpointUrls(url!).length === 0) {
      throw new ConfigError(`${name}: give http:// or https:// addresses, with commas between them`)
    }
    urls[chain] = url!
  }
  return urls
}

function loadProfile(nameOrPath: string): NetworkProfile {
  const known = [mainnetProfile, devnetProfile].find((profile) => profile.name === nameOrPath)
  if (known) return known
  if (!isAbsolute(nameOrPath) && !nameOrPath.endsWith('.json')) {
    throw new ConfigError(
      `ALEPH_CORE_PROFILE: no profile is named "${nameOrPath}"; give a path to a JSON file`,
    )
  }
  try {
    return parseNetworkProfile(JSON.parse(readFileSync(nameOrPath, 'utf8')))
  } catch (error) {
    throw new ConfigError(`ALEPH_CORE_PROFILE: cannot use ${nameOrPath}: ${(error as Error).message}`, {
      cause: error,
    })
  }
}
