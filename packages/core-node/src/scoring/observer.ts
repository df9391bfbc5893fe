import { setTimeout as sleep } from 'node:timers/promises'
import { metricsPostTypes } from '@aleph-ts/protocol'
import type { CoreNodeContext } from '../context.ts'
import { publishOwnMessage } from '../own-message.ts'
import type { Registry } from '../registry/registry.ts'
import { type ProbeRow, probeComputeNode, probeCoreNode } from './probes.ts'

export interface ObserverOptions {
  context: Pick<
    CoreNodeContext,
    'profile' | 'inbox' | 'fileStore' | 'logger' | 'operatorKey' | 'askRegistered'
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
  readonly #stopping = new AbortController()
  #loop: Promise<void> | undefined

  constructor(options: ObserverOptions) {
    this.#options = options
  }

  start(): void {
    this.#loop ??= this.#run()
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#loop
  }

  async #run(): Promise<void> {
    const { profile, logger } = this.#options.context
    const { signal } = this.#stopping
    const everyMs = profile.scoring.measureSeconds * 1000
    while (!signal.aborted) {
      // Somewhere in the time that is left, so that observers do not all come at once.
      await sleep(Math.random() * everyMs, undefined, { signal }).catch(() => undefined)
      const started = Date.now()
      try {
        await this.measure()
      } catch (error) {
        if (!signal.aborted) logger.warn({ err: error }, 'nodes could not be measured; trying again')
      }
      const rest = everyMs - (started % everyMs)
      await sleep(rest, undefined, { signal }).catch(() => undefined)
    }
  }

  /** Measures every node once, and publishes it. */
  async measure(): Promise<void> {
    const { context, registry, url } = this.#options
    const { profile } = context
    const { corechannel } = registry
    if (!corechannel || this.#stopping.signal.aborted) return
    const asking = { askRegistered: context.askRegistered, signal: this.#stopping.signal }
    const ccn = await inTurns(corechannel.nodes, (node) => probeCoreNode(node, profile, asking))
    const crn = await inTurns(corechannel.resource_nodes, (node) => probeComputeNode(node, profile, asking))
    const metrics = { server: hostOf(url()), server_asn: null, server_as_name: null, ccn, crn }
    await publishOwnMessage(context, context.operatorKey, {
      type: 'POST',
      channel: profile.channels.scoring,
      content: { type: metricsPostTypes[0], content: { tags: ['mainnet'], version: '1.0', metrics } },
    })
  }
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
