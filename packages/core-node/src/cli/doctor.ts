import { access, constants, mkdir, statfs } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { endpointUrls } from '../chains/json-endpoint.ts'
import type { CoreNodeConfig } from '../config.ts'
import { migrationNames } from '../database/migrate.ts'
import { locatePostgres } from '../database/postgres-binaries.ts'
import { loadHostKey } from '../gossip/host-key.ts'
import { parsePeerAddress } from '../gossip/peer-address.ts'
import { loadOperatorKey } from '../operator-key.ts'
import { NoDatabaseError, withDatabase } from './node-database.ts'
import { printTable } from './print.ts'
import { askNode, urlOf } from './running-node.ts'

/** `warning`: the node runs, but not as well as it might. */
export type Finding = { level: 'ok' | 'warning' | 'problem'; text: string }

const timeoutMs = 5_000
/** Below this a node will soon be out of disk, bytes. */
const scarceBytes = 2 * 1024 ** 3
const oldestNode = 22

/** Looks for what keeps a node from working, prints what it finds, and sets the exit code. */
export async function doctor(config: CoreNodeConfig): Promise<void> {
  const checks: Record<string, () => Promise<Finding>> = {
    runtime: async () => runtime(),
    'data folder': () => dataFolder(config),
    keys: () => keys(config),
    database: () => database(config),
    node: () => node(config),
    ...Object.fromEntries(
      Object.entries({ ETH: config.ethereumRpc, ...config.evmRpc }).flatMap(([chain, urls]) =>
        endpointUrls(urls ?? '').map((url, index) => [
          `chain ${chain} ${index + 1}`,
          () => chainEndpoint(url),
        ]),
      ),
    ),
    ...Object.fromEntries(
      [...config.profile.bootstrapPeers, ...config.p2p.peers].map((peer, index) => [
        `peer ${index + 1}`,
        () => peerAnswers(peer),
      ]),
    ),
  }
  const rows = await Promise.all(
    Object.entries(checks).map(async ([name, check]) => {
      const { level, text } = await check().catch(asProblem)
      return [level, name, text]
    }),
  )
  printTable(rows)
  if (rows.some(([level]) => level === 'problem')) process.exitCode = 1
}

function asProblem(error: unknown): Finding {
  return { level: 'problem', text: (error as Error).message }
}

function runtime(): Finding {
  const major = Number.parseInt(process.versions.node, 10)
  if (major < oldestNode) {
    return { level: 'problem', text: `Node.js ${process.versions.node}; ${oldestNode} or newer is needed` }
  }
  return { level: 'ok', text: `Node.js ${process.versions.node}` }
}

async function dataFolder({ dataDir }: CoreNodeConfig): Promise<Finding> {
  await mkdir(dataDir, { recursive: true, mode: 0o700 })
  await access(dataDir, constants.R_OK | constants.W_OK)
  const { bavail, bsize } = await statfs(dataDir)
  const free = bavail * bsize
  const text = `${dataDir}, ${(free / 1024 ** 3).toFixed(1)} GiB free`
  return { level: free < scarceBytes ? 'warning' : 'ok', text }
}

async function keys({ dataDir, privateKeyFile }: CoreNodeConfig): Promise<Finding> {
  await loadHostKey(join(dataDir, 'keys'))
  const { address } = await loadOperatorKey(privateKeyFile)
  return { level: 'ok', text: `operator ${address}` }
}

async function database(config: CoreNodeConfig): Promise<Finding> {
  if (!config.databaseUrl) await locatePostgres()
  try {
    return await withDatabase(config, async (pool) => {
      const { rows } = await pool.query<{ version: string; names: string[] | null }>(
        `select current_setting('server_version') as version,
           case when to_regclass('schema_migrations') is null then null else array(select 1) end as names`,
      )
      const { version, names } = rows[0]!
      if (names === null) return { level: 'ok', text: `PostgreSQL ${version}, empty` }
      const applied = await pool.query<{ name: string }>('select name from schema_migrations')
      const known = new Set(await migrationNames())
      const foreign = applied.rows.filter(({ name }) => !known.has(name))
      if (foreign.length > 0) {
        return {
          level: 'problem',
          text: `the schema is of a newer version (${foreign[0]!.name}); update the node`,
        }
      }
      return { level: 'ok', text: `PostgreSQL ${version}` }
    })
  } catch (error) {
    if (error instanceof NoDatabaseError) return { level: 'ok', text: 'none yet; the first start creates it' }
    throw error
  }
}

async function node(config: CoreNodeConfig): Promise<Finding> {
  const url = urlOf(config)
  try {
    const response = await askNode(url, '/api/v0/version')
    if (response.ok) return { level: 'ok', text: `answers at ${url}` }
    return { level: 'problem', text: `something else answers at ${url}; choose another ALEPH_CORE_HTTP_PORT` }
  } catch {
    return { level: 'warning', text: `does not run (nothing answers at ${url})` }
  }
}

async function chainEndpoint(url: string): Promise<Finding> {
  const where = new URL(url).host
  try {
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'eth_chainId', params: [] }),
      signal: AbortSignal.timeout(timeoutMs),
    })
    const { result } = (await response.json()) as { result?: unknown }
    if (typeof result === 'string') return { level: 'ok', text: `${where}, chain ${Number(result)}` }
    return { level: 'problem', text: `${where} does not answer as a chain's endpoint does` }
  } catch {
    // The message of fetch may hold the whole URL, and with it somebody's key.
    return { level: 'problem', text: `${where} does not answer` }
  }
}

async function peerAnswers(text: string): Promise<Finding> {
  const peer = parsePeerAddress(text)
  const [, , host, protocol, port] = text.split('/')
  if (!peer || protocol !== 'tcp' || !host) {
    return {
      level: 'problem',
      text: `"${text}" is no address such as /ip4/203.0.113.7/tcp/4025/p2p/<peer id>`,
    }
  }
  const reached = await new Promise<boolean>((resolve) => {
    const socket = connect({ host, port: Number(port), timeout: timeoutMs })
    const end = (answer: boolean) => {
      socket.destroy()
      resolve(answer)
    }
    socket.once('connect', () => end(true))
    socket.once('timeout', () => end(false))
    socket.once('error', () => end(false))
  })
  return {
    level: reached ? 'ok' : 'warning',
    text: `${host}:${port} ${reached ? 'answers' : 'does not answer'}`,
  }
}
