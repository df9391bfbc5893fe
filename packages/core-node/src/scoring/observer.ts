import { setTimeout as sleep } from 'node:timers/promises'
import { metricsPostTypes } from '@aleph-ts/protocol'
import type { CoreNodeContext } from '../context.ts'
import { publishOwnMessage } from '../own-message.ts'
import type { Registry } from '../registry/registry.ts'
import { RepeatedWork } from '../repeated-work.ts'
import { type AutonomousSystem, findAutonomousSystems } from './autonomous-systems.ts'
import { type ProbeRow, probeComputeNode, probeCoreNode } from './probes.ts'

export interface ObserverOptions {
  context: Pick<
    CoreNodeContext,
    'profile' | 'config' | 'inbox' | 'fileStore' | 'logger' | 'operatorKey' | 'askRegistered'
  >
  registry: Registry
  /** Where this node answers, as others see it. */
  url: () => string | undefined
}

/** Nodes that are measured at the same time. */
const mostAtOnce = 8

/**
 * Measures every registered node again and again and publishes what it finds (protocol 06 §4.1). A network believes
 * the observers its profile names; scores are the median of what they say.
 */
export class Observer {
  readonly #options: ObserverOptions
  readonly #rounds: RepeatedWork

  constructor(options: ObserverOptions) {
    this.#options = options
    const { profile, logger } = options.context
    const everyMs = profile.scoring.measureSeconds * 1000
    this.#rounds = new RepeatedWork({
      work: async (stopping) => {
        // Some time within the round, so that observers do not all come at once.
        await sleep(Math.random() * everyMs, undefined, { signal: stopping })
        await this.#measure(stopping)
      },
      pauseMs: () => everyMs - (Date.now() % everyMs),
      onError: (error) => logger.warn({ err: error }, 'nodes could not be measured; trying again'),
    })
  }

  start(): void {
    this.#rounds.start()
  }

  async stop(): Promise<void> {
    await this.#rounds.stop()
  }

  /** The autonomous systems of hosts; none without a table, or when it cannot be read. */
  async #systemsOf(...hosts: (string | null | (string | null)[])[]): Promise<Map<string, AutonomousSystem>> {
    const { config, logger } = this.#options.context
    if (config.asnFile === undefined) return new Map()
    try {
      const named = hosts.flat().filter((host) => host !== null)
      return await findAutonomousSystems(config.asnFile, named)
    } catch (error) {
      logger.warn({ err: error }, 'the table of autonomous systems cannot be read; measuring without')
      return new Map()
    }
  }

  /** Measures every node once, and publishes it. */
  async #measure(signal: AbortSignal): Promise<void> {
    const { context, registry, url } = this.#options
    const { profile } = context
    const { corechannel } = registry
    if (!corechannel) return
    const asking = { askRegistered: context.askRegistered, signal }
    const ccn = await inTurns(corechannel.nodes, (node) => probeCoreNode(node, profile, asking))
    const crn = await inTurns(corechannel.resource_nodes, (node) => probeComputeNode(node, profile, asking))
    const server = hostOf(url())
    const systems = await this.#systemsOf(
      [...ccn, ...crn].map((row) => hostOf(row.url)),
      server,
    )
    for (const row of [...ccn, ...crn]) Object.assign(row, systemOf(systems, hostOf(row.url)))
    const { asn: server_asn, as_name: server_as_name } = systemOf(systems, server)
    const metrics = { server, server_asn, server_as_name, ccn, crn }
    await publishOwnMessage(context, context.operatorKey, {
      type: 'POST',
      channel: profile.channels.scoring,
      content: { type: metricsPostTypes[0], content: { tags: ['mainnet'], version: '1.0', metrics } },
    })
  }
}

function systemOf(systems: ReadonlyMap<string, AutonomousSystem>, host: string | null) {
  const system = systems.get(host ?? '')
  return { asn: system?.asn ?? null, as_name: system?.name ?? null }
}

async function inTurns<T>(
  items: readonly T[],
  measure: (item: T) => Promise<ProbeRow | null>,
): Promise<ProbeRow[]> {
  const rows: ProbeRow[] = []
  const queue = items.values()
  const worker = async () => {
    for (const item of queue) {
      const row = await measure(item)
      if (row) rows.push(row)
    }
  }
  await Promise.all(Array.from({ length: mostAtOnce }, worker))
  return rows.sort((a, b) => (a.node_id < b.node_id ? -1 : 1))
}

function hostOf(url: string | undefined): string | null {
  return url === undefined ? null : new URL(url).hostname
}
