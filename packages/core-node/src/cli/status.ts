import type { CoreNodeConfig } from '../config.ts'
import { printTable } from './print.ts'
import { askNode, NodeUnreachableError, urlOf } from './running-node.ts'

/** What the metrics of a node are called here, in this order; labels are added up unless one is named. */
const shown: [metric: string, text: string][] = [
  ['pyaleph_status_sync_messages_total', 'messages'],
  ['aleph_core_inbox_waiting{stage="fetch"}', 'waiting to be fetched'],
  ['aleph_core_inbox_waiting{stage="process"}', 'waiting to be processed'],
  ['aleph_core_inbox_waiting{stage="retry"}', 'waiting to be tried again'],
  ['aleph_core_messages_processed_total', 'processed since start'],
  ['aleph_core_messages_rejected_total', 'refused since start'],
  ['aleph_core_gossip_peers{standing="good"}', 'peers'],
  ['aleph_core_gossip_peers{standing="shunned"}', 'peers not listened to'],
  ['pyaleph_status_chain_eth_height_remaining_total', 'blocks behind the chain'],
]

/** Shows how a running node does. */
export async function showStatus(
  config: CoreNodeConfig,
  options: { url?: string; json?: boolean },
): Promise<void> {
  const url = urlOf(config, options.url)
  const version = (await (await askNode(url, '/api/v0/version')).json()) as { version?: unknown }
  const response = await askNode(url, '/metrics')
  if (!response.ok || typeof version.version !== 'string') {
    throw new NodeUnreachableError(`What answers at ${url} is no core node; give another --url`)
  }
  const metrics = parseMetrics(await response.text())
  const figures = shown.flatMap(([metric, text]) => {
    const figure = metrics.get(metric)
    return figure === undefined ? [] : [[text, figure] as const]
  })
  if (options.json) {
    const status = { url, version: version.version, ...Object.fromEntries(figures) }
    process.stdout.write(`${JSON.stringify(status)}\n`)
    return
  }
  printTable([
    ['url', url],
    ['version', version.version],
    ...figures.map(([text, figure]) => [text, String(figure)]),
  ])
}

/** Prometheus text as numbers: each series by its full name, and each metric as the sum of its series. */
export function parseMetrics(text: string): Map<string, number> {
  const metrics = new Map<string, number>()
  for (const line of text.split('\n')) {
    const [, name, labels = '', value] = /^([a-z_]+)(\{.*\})? (\S+)$/i.exec(line) ?? []
    if (name === undefined) continue
    const figure = Number(value)
    if (labels !== '') metrics.set(`${name}${labels}`, figure)
    metrics.set(name, (metrics.get(name) ?? 0) + figure)
  }
  return metrics
}
