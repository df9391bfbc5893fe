import type { Logger } from 'pino'
import type { CoreNodes } from '../core-nodes/core-nodes.ts'
import { MessageEvents } from '../core-nodes/message-events.ts'
import type { MessageSource } from '../core-nodes/message-source.ts'
import type { VmHost } from '../vm-host.ts'

/** What fits into one address of a request; with more owners, those of everybody are heard. */
const MAX_OWNERS = 100

export interface OwnerAggregatesOptions {
  coreNodes: CoreNodes
  messages: Pick<MessageSource, 'get' | 'forgetAggregate'>
  vms: Pick<VmHost, 'list'>
  /** Forwards what the instance's owner wants forwarded now. */
  refreshPorts: (hash: string) => Promise<void>
  /** Has every domain looked up anew. */
  forgetDomains: () => void
  logger: Logger
}

/**
 * Hears when owners of instances that run here change their forwarded ports or their domains (protocol 05 §8.4, §8.5),
 * so that both follow within a second or two. What it misses is looked at every minute, elsewhere.
 */
export class OwnerAggregates {
  readonly #options: OwnerAggregatesOptions
  readonly #events: MessageEvents
  /** Of running instances, by item hash. */
  readonly #owners = new Map<string, string>()

  constructor(options: OwnerAggregatesOptions) {
    this.#options = options
    const { coreNodes, logger } = options
    this.#events = new MessageEvents({
      coreNodes,
      wanted: () => this.#wanted(),
      onMessage: (message) => this.#onMessage(message),
      logger,
    })
  }

  start(): void {
    this.#events.start()
  }

  stop(): void {
    this.#events.stop()
  }

  #wanted(): Record<string, string> | null {
    this.#lookForOwners()
    const owners = [...new Set(this.#owners.values())].sort()
    if (owners.length === 0) return null
    return {
      msgTypes: 'AGGREGATE',
      contentKeys: 'port-forwarding,domains',
      ...(owners.length <= MAX_OWNERS && { owners: owners.join(',') }),
    }
  }

  /** Who owns an instance is in its message, which this node has by the time it runs. */
  #lookForOwners(): void {
    const { vms, messages, logger } = this.#options
    const running = vms.list().filter(({ type, state }) => type === 'instance' && state === 'running')
    const ids = new Set(running.map(({ id }) => id))
    for (const id of this.#owners.keys()) if (!ids.has(id)) this.#owners.delete(id)
    for (const id of ids) {
      if (this.#owners.has(id)) continue
      messages.get(id).then(
        ({ content }) => this.#owners.set(id, (content as { address: string }).address),
        (error: Error) => logger.debug({ hash: id, reason: error.message }, 'the owner is not known yet'),
      )
    }
  }

  /** Only has this node look for itself: what the message says is not believed. */
  #onMessage(message: unknown): void {
    const { content } = (message ?? {}) as { content?: { address?: unknown; key?: unknown } | null }
    const { address, key } = content ?? {}
    if (typeof address !== 'string' || (key !== 'port-forwarding' && key !== 'domains')) return
    const hashes = [...this.#owners].filter(([, owner]) => owner === address).map(([hash]) => hash)
    if (hashes.length === 0) return
    const { messages, refreshPorts, forgetDomains, logger } = this.#options
    messages.forgetAggregate(address, key)
    if (key === 'domains') forgetDomains()
    for (const hash of key === 'port-forwarding' ? hashes : []) {
      refreshPorts(hash).catch((error: Error) =>
        logger.warn({ hash, reason: error.message }, 'the ports of an instance stay as they are'),
      )
    }
  }
}
