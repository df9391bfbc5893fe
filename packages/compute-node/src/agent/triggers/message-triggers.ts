import type { Logger } from 'pino'
import type { CoreNodes } from '../core-nodes/core-nodes.ts'
import { MessageEvents } from '../core-nodes/message-events.ts'
import type { MessageSource } from '../core-nodes/message-source.ts'
import { toAgentError } from '../errors.ts'
import type { AgentMetrics } from '../metrics.ts'
import type { ProgramLease } from '../programs/program-host.ts'
import { deliverMessage } from './deliver-message.ts'
import { DeliveryQueue } from './delivery-queue.ts'
import type { Subscriptions } from './subscriptions.ts'

const REFRESH_MS = 1_000
/** Of one program. */
const CONCURRENCY = 4
const MAX_WAITING = 256
/** Messages that are being checked. */
const MAX_CHECKS = 32
/** Messages of which a second event, from another core node, is no news. */
const MAX_REMEMBERED = 10_000

export interface MessageTriggersOptions {
  coreNodes: CoreNodes
  messages: Pick<MessageSource, 'prove'>
  programs: { acquire(hash: string): Promise<ProgramLease> }
  subscriptions: Subscriptions
  metrics: AgentMetrics
  logger: Logger
}

/**
 * Calls programs of this node's plan for messages they subscribed to (protocol 05 §5.5), each once: no other node has
 * them in its plan. Messages count from when they are heard; what a stopped node misses, or what comes faster than a
 * program takes it, is lost.
 */
export class MessageTriggers {
  readonly #options: MessageTriggersOptions
  readonly #events: MessageEvents
  readonly #queues = new Map<string, DeliveryQueue<object>>()
  readonly #seen = new Set<string>()
  #checks = 0
  #timer: NodeJS.Timeout | null = null
  #refreshing = false

  constructor(options: MessageTriggersOptions) {
    this.#options = options
    const { coreNodes, subscriptions, logger } = options
    this.#events = new MessageEvents({
      coreNodes,
      wanted: () => subscriptions.query(),
      onMessage: (message) => this.#onMessage(message),
      logger,
    })
  }

  start(): void {
    this.#timer = setInterval(() => void this.#refresh(), REFRESH_MS)
    this.#timer.unref()
    this.#events.start()
  }

  stop(): void {
    if (this.#timer) clearInterval(this.#timer)
    this.#events.stop()
    for (const queue of this.#queues.values()) queue.close()
    this.#queues.clear()
  }

  async #refresh(): Promise<void> {
    if (this.#refreshing) return
    this.#refreshing = true
    try {
      await this.#options.subscriptions.refresh()
      for (const [hash, queue] of this.#queues) if (queue.isIdle) this.#queues.delete(hash)
    } catch (error) {
      this.#options.logger.error({ err: error }, 'subscriptions of programs were not read')
    } finally {
      this.#refreshing = false
    }
  }

  /** A core node's word is enough to look closer, not to call anybody. */
  #onMessage(message: unknown): void {
    const hash = (message as { item_hash?: unknown } | null)?.item_hash
    if (typeof hash !== 'string' || this.#seen.has(hash)) return
    if (this.#options.subscriptions.matching(message as object).length === 0) return
    const { logger, metrics } = this.#options
    if (this.#checks >= MAX_CHECKS) {
      metrics.triggers.inc({ outcome: 'dropped' })
      logger.warn({ message: hash }, 'too many messages at once; one reaches no program')
      return
    }
    this.#checks += 1
    this.#pass(hash, message)
      .catch((error: unknown) => {
        const { code, message: reason } = toAgentError(error)
        logger.warn({ message: hash, code, reason }, 'a message was not passed to programs')
      })
      .finally(() => {
        this.#checks -= 1
      })
  }

  async #pass(hash: string, heard: unknown): Promise<void> {
    const { envelope, content } = await this.#options.messages.prove(hash, heard)
    if (this.#seen.has(hash)) return
    this.#remember(hash)
    const message = { ...envelope, content }
    for (const program of this.#options.subscriptions.matching(message)) {
      if (this.#queueOf(program).add(message)) continue
      this.#options.metrics.triggers.inc({ outcome: 'dropped' })
      this.#options.logger.warn({ hash: program, message: hash }, 'a program is behind; a message is lost')
    }
  }

  #queueOf(program: string): DeliveryQueue<object> {
    let queue = this.#queues.get(program)
    if (!queue) {
      const deliver = (message: object) => this.#deliver(program, message)
      queue = new DeliveryQueue({ deliver, concurrency: CONCURRENCY, maxWaiting: MAX_WAITING })
      this.#queues.set(program, queue)
    }
    return queue
  }

  async #deliver(hash: string, message: object): Promise<void> {
    const { programs, metrics, logger } = this.#options
    let lease: ProgramLease | undefined
    try {
      lease = await programs.acquire(hash)
      const status = await deliverMessage(lease, message)
      metrics.triggers.inc({ outcome: status < 400 ? 'answered' : 'failed' })
      if (status >= 400) logger.warn({ hash, status }, 'a program did not take a message')
    } catch (error) {
      metrics.triggers.inc({ outcome: 'failed' })
      logger.warn({ hash, reason: (error as Error).message }, 'a program was not told of a message')
    } finally {
      lease?.release()
    }
  }

  #remember(hash: string): void {
    this.#seen.add(hash)
    if (this.#seen.size > MAX_REMEMBERED) this.#seen.delete(this.#seen.values().next().value as string)
  }
}
