import type { ComputeNode, CoreNode, NetworkProfile } from '@aleph-ts/protocol'
import type { AskRegistered } from '../registered-request.ts'
import { coreNodeUrl, webAddress } from '../registry/core-node-url.ts'

/** What one observer finds of one node, as it is published (protocol 06 §4.1). Latencies in seconds; null: it failed. */
export interface ProbeRow {
  node_id: string
  url: string
  asn: number | null
  as_name: string | null
  version: string | null
  /** Epoch seconds. */
  measured_at: number
  [measured: string]: unknown
}

const timeoutMs = 10_000
const checkTimeoutMs = 20_000
const mostBytes = 8 * 1024 * 1024

/** How an observer asks. */
export interface Asking {
  askRegistered: AskRegistered
  signal: AbortSignal
}

/** Measures a core node; null when it has no address that could be asked. */
export async function probeCoreNode(
  node: CoreNode,
  { addresses, scoring }: Pick<NetworkProfile, 'addresses' | 'scoring'>,
  asking: Asking,
): Promise<ProbeRow | null> {
  const url = coreNodeUrl(node)
  if (url === null) return null
  const time = (path: string) => probe(url + path, asking)
  const measuredAt = Date.now() / 1000
  const base = await time('/api/v0/info/public.json')
  const metrics = await time('/metrics.json')
  const aggregate = await time(`/api/v0/aggregates/${addresses.corechannel}.json?keys=corechannel&limit=50`)
  const file = scoring.probeFile === null ? null : await time(`/api/v0/storage/raw/${scoring.probeFile}`)
  const values = (parseJson(metrics.body) ?? {}) as Record<string, unknown>
  const build = values.pyaleph_build_info as { version?: unknown } | undefined
  return {
    ...identity(node.hash, url, measuredAt, typeof build?.version === 'string' ? build.version : null),
    base_latency: base.latency,
    base_latency_ipv4: base.latency,
    metrics_latency: metrics.latency,
    aggregate_latency: aggregate.latency,
    file_download_latency: file?.latency ?? null,
    txs_total: numberOf(values.pyaleph_status_sync_pending_txs_total),
    pending_messages: numberOf(values.pyaleph_status_sync_pending_messages_total),
    eth_height_remaining: numberOf(values.pyaleph_status_chain_eth_height_remaining_total),
  }
}

/** Measures a compute node; null when it has no address that could be asked. */
export async function probeComputeNode(
  node: ComputeNode,
  { scoring }: Pick<NetworkProfile, 'scoring'>,
  asking: Asking,
): Promise<ProbeRow | null> {
  const url = webAddress(node.address)
  if (url === null) return null
  const measuredAt = Date.now() / 1000
  // A page that asks for a password: whoever answers something else is no compute node.
  const base = await probe(`${url}/about/login`, asking, { status: 401 })
  const { diagnosticProgram } = scoring
  const program = diagnosticProgram === null ? null : await probe(`${url}/vm/${diagnosticProgram}`, asking)
  const check =
    diagnosticProgram === null
      ? null
      : await probe(`${url}/status/check/fastapi`, asking, { timeoutMs: checkTimeoutMs })
  return {
    ...identity(node.hash, url, measuredAt, /^aleph-vm\/(\S+)/.exec(base.server)?.[1] ?? null),
    base_latency: base.latency,
    base_latency_ipv4: base.latency,
    diagnostic_vm_latency: program?.latency ?? null,
    full_check_latency: check?.latency ?? null,
    vm_ping_latency: null,
    features: [],
  }
}

/** Autonomous systems are found for all nodes together; readers count unknown ones as one and the same. */
function identity(node_id: string, url: string, measured_at: number, version: string | null): ProbeRow {
  return { node_id, url, asn: null, as_name: null, version, measured_at }
}

interface Probed {
  /** Seconds until the whole answer was here; null when it is not the one that is due. */
  latency: number | null
  server: string
  body: string
}

async function probe(
  url: string,
  { askRegistered, signal }: Asking,
  options: { status?: number; timeoutMs?: number } = {},
): Promise<Probed> {
  const started = performance.now()
  try {
    const limit = AbortSignal.any([signal, AbortSignal.timeout(options.timeoutMs ?? timeoutMs)])
    const { status, headers, body } = await askRegistered(url, { signal: limit, maxBytes: mostBytes })
    const isDue = status === (options.status ?? 200)
    return {
      latency: isDue ? (performance.now() - started) / 1000 : null,
      server: String(headers.server ?? ''),
      body: body.toString('utf8'),
    }
  } catch {
    signal.throwIfAborted()
    return { latency: null, server: '', body: '' }
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}

function numberOf(value: unknown): number | null {
  return typeof value === 'number' && Number.isFinite(value) ? value : null
}
