import { setTimeout as sleep } from 'node:timers/promises'
import type { CapacityReport } from '@aleph-ts/protocol'
import type { CoreNodeContext } from '../context.ts'
import type { AskRegistered } from '../registered-request.ts'
import { computeNodeReport } from './compute-node-report.ts'

export interface ComputeNodeWatchOptions {
  logger: CoreNodeContext['logger']
  askRegistered: AskRegistered
  /** Pause between two looks at a node, ms. */
  pollMs: number
  /** Called when something a node says of itself, or whether it answers, has changed. */
  onChange(): void
}

interface Watched {
  url: string
  stop: AbortController
  looking: Promise<void>
  report: CapacityReport | undefined
  running: ReadonlySet<string>
  /** VMs that were ever seen running there. */
  everSeen: Set<string>
  /** Epoch ms of its last answer. */
  answeredAt: number | undefined
  failures: number
  /** Epoch ms of the first of the failures in a row. */
  failingSince: number
}

/** So many failures in a row mean that a node is away (protocol 06 §8.6). */
const failuresUntilAway = 3
const answerMs = 10_000
/** VMs that a node is remembered to have run. */
const mostRemembered = 10_000
const answerBytes = 1024 * 1024

/** Looks at this core node's own compute nodes again and again: whether they answer, and what they can carry. */
export class ComputeNodeWatch {
  readonly #options: ComputeNodeWatchOptions
  readonly #nodes = new Map<string, Watched>()

  constructor(options: ComputeNodeWatchOptions) {
    this.#options = options
  }

  /** The base URLs of the compute nodes to look at, by hash; others are not looked at any more. */
  setNodes(urls: ReadonlyMap<string, string>): void {
    for (const [hash, { url, stop }] of this.#nodes) {
      if (urls.get(hash) === url) continue
      stop.abort()
      this.#nodes.delete(hash)
    }
    for (const [hash, url] of urls) if (!this.#nodes.has(hash)) this.#nodes.set(hash, this.#begin(hash, url))
  }

  async stop(): Promise<void> {
    const nodes = [...this.#nodes.values()]
    this.setNodes(new Map())
    await Promise.all(nodes.map(({ looking }) => looking))
  }

  /** What the nodes said of themselves, by hash. */
  reports(): Map<string, CapacityReport> {
    return new Map([...this.#nodes].flatMap(([hash, { report }]) => (report ? [[hash, report]] : [])))
  }

  /** For how long a node has been away, seconds; 0 for one that answers or was not looked at often enough. */
  secondsAway(hash: string): number {
    const node = this.#nodes.get(hash)
    if (!node || node.failures < failuresUntilAway) return 0
    return (Date.now() - node.failingSince) / 1000
  }

  /** What was seen of a node of ours; undefined for nodes of others and before the first answer. */
  seen(hash: string): { running: ReadonlySet<string>; at: number; secondsAway: number } | undefined {
    const node = this.#nodes.get(hash)
    if (node?.answeredAt === undefined) return undefined
    return { running: node.running, at: node.answeredAt, secondsAway: this.secondsAway(hash) }
  }

  /** Our nodes on which a VM was seen when they were looked at last; not those that are away. */
  nodesWith(vmHash: string): string[] {
    return [...this.#nodes].flatMap(([hash, { running, failures }]) =>
      failures < failuresUntilAway && running.has(vmHash) ? [hash] : [],
    )
  }

  /** All VMs that run on our nodes, those that are away left out. */
  observedVms(): Set<string> {
    const reachable = this.#nodes.values().filter(({ failures }) => failures < failuresUntilAway)
    return new Set(reachable.flatMap(({ running }) => running))
  }

  /** Whether a VM was seen running on a node since this process looks at it. */
  wasSeen(vmHash: string, nodeHash: string): boolean {
    return this.#nodes.get(nodeHash)?.everSeen.has(vmHash) ?? false
  }

  #begin(hash: string, url: string): Watched {
    const node: Watched = {
      url,
      stop: new AbortController(),
      looking: Promise.resolve(),
      report: undefined,
      running: new Set(),
      everSeen: new Set(),
      answeredAt: undefined,
      failures: 0,
      failingSince: 0,
    }
    node.looking = this.#look(hash, node)
    return node
  }

  async #look(hash: string, node: Watched): Promise<void> {
    const { logger, pollMs, onChange } = this.#options
    const { signal } = node.stop
    while (!signal.aborted) {
      const before = { away: node.failures >= failuresUntilAway, report: JSON.stringify(node.report) }
      try {
        const [config, usage, executions] = await Promise.all([
          this.#ask(node.url, '/status/config', signal),
          this.#ask(node.url, '/about/usage/system', signal),
          this.#ask(node.url, '/v2/about/executions/list', signal),
        ])
        node.report = computeNodeReport(hash, config, usage)
        node.running = runningVms(executions)
        if (node.everSeen.size > mostRemembered) node.everSeen.clear()
        for (const vm of node.running) node.everSeen.add(vm)
        node.answeredAt = Date.now()
        node.failures = 0
      } catch (error) {
        if (signal.aborted) return
        if (node.failures === 0) node.failingSince = Date.now()
        node.failures += 1
        logger.debug({ node: node.url, reason: (error as Error).message }, 'a compute node did not answer')
      }
      const away = node.failures >= failuresUntilAway
      if (away !== before.away) {
        if (away) logger.warn({ node: node.url }, 'a compute node is away')
        else logger.info({ node: node.url }, 'a compute node is back')
      }
      // Time alone decides what moves from a node that is away.
      if (away || before.away || JSON.stringify(node.report) !== before.report) onChange()
      await sleep(pollMs, undefined, { signal }).catch(() => {})
    }
  }

  async #ask(url: string, path: string, stopped: AbortSignal): Promise<unknown> {
    const { status, body } = await this.#options.askRegistered(new URL(path, url), {
      signal: AbortSignal.any([stopped, AbortSignal.timeout(answerMs)]),
      maxBytes: answerBytes,
    })
    if (status !== 200) throw new Error(`${path} answered ${status}`)
    return JSON.parse(body.toString('utf8'))
  }
}

/** VMs that run, from the answer of `/v2/about/executions/list` (protocol 06 §7.6). */
function runningVms(executions: unknown): ReadonlySet<string> {
  const entries = Object.entries(executions ?? {}) as [string, { running?: unknown } | null][]
  return new Set(entries.filter(([, execution]) => execution?.running === true).map(([hash]) => hash))
}
