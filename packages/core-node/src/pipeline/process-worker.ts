import { setTimeout as sleep } from 'node:timers/promises'
import type { MessageType } from '@aleph-ts/protocol'
import { isDatabaseAway } from '../database/pool.ts'
import type { CoreEvents } from '../events.ts'
import type { Inbox } from '../inbox/inbox.ts'
import type { Arrival } from '../inbox/store-arrivals.ts'
import type { CoreMetrics } from '../metrics.ts'
import { claimDue, delay, loadEnvelopes, loadWaitedFor, untilNextDue } from '../state/pending.ts'
import { type Candidate, ownerOf } from './candidate.ts'
import { type BatchResult, type ProcessingTools, processBatch } from './process-batch.ts'
import { Signal } from './signal.ts'

/** Messages applied in one transaction at most. */
const largestBatch = 200
/** Parsed arrivals kept in memory for the worker, in characters; the rest is read back from the inbox. */
const mostRememberedCharacters = 32 * 1024 * 1024
/**
 * Batches begin so far apart, ms, unless a full one waits: a transaction costs about as much as ten messages in it, so
 * that a steady trickle is worth gathering.
 */
const restMs = 20
/** The worker looks by itself this often, whatever its wake-ups say. */
const longestSleepMs = 5_000
/** Messages that need fresh balances wait this long for a chain that does not answer. */
const chainPatienceMs = 5_000

/**
 * Turns fetched pending messages into state, one batch after another (protocol 02 §3.2). It alone writes the state, so
 * that `seq` is the order in which this node processed its messages.
 */
export class ProcessWorker {
  readonly #tools: ProcessingTools
  readonly #events: CoreEvents
  readonly #inbox: Inbox
  readonly #onRefetch: () => void
  readonly #metrics: CoreMetrics
  #refreshBalances: () => Promise<void> = async () => {}
  readonly #signal = new Signal()
  readonly #arrivals = new Map<bigint, Arrival>()
  /** Messages that were too expensive for the balances known then. */
  #unpaid = new Set<bigint>()
  #rememberedCharacters = 0
  #nextSeq = 1n
  #errands: (() => Promise<void>)[] = []
  #loop: Promise<void> | undefined
  #stopping = false

  constructor(options: {
    tools: ProcessingTools
    events: CoreEvents
    inbox: Inbox
    metrics: CoreMetrics
    /** Called when messages went back to the fetch stage. */
    onRefetch: () => void
  }) {
    this.#tools = options.tools
    this.#events = options.events
    this.#inbox = options.inbox
    this.#onRefetch = options.onRefetch
    this.#metrics = options.metrics
  }

  /** `refresh` brings balances up to date with the chain: no message is refused for a balance that is merely stale. */
  useBalances(refresh: () => Promise<void>): void {
    this.#refreshBalances = refresh
  }

  async start(): Promise<void> {
    const { pool, waitedFor } = this.#tools
    await this.#readLogEnd()
    for (const hash of await loadWaitedFor(pool)) waitedFor.add(hash)
    this.#loop = this.#run()
  }

  /** Resolves when the batch at hand is finished. */
  async stop(): Promise<void> {
    this.#stopping = true
    this.#signal.give()
    await this.#loop
    for (const errand of this.#errands.splice(0)) await errand()
  }

  /** New messages are in the inbox; `arrivals` saves reading and parsing them again. */
  wake(arrivals: Arrival[] = []): void {
    for (const arrival of arrivals) {
      if (!arrival.fetched || arrival.id === undefined) continue
      if (this.#rememberedCharacters >= mostRememberedCharacters) break
      this.#arrivals.set(arrival.id, arrival)
      this.#rememberedCharacters += weightOf(arrival)
    }
    this.#signal.give()
  }

  /** Runs something that changes the state between two batches; rejects when it fails. */
  exclusively<T>(work: () => Promise<T>): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>()
    this.#errands.push(() => work().then(resolve, reject))
    this.#signal.give()
    return promise
  }

  /** Confirmations changed, or verdicts are out of date for another reason. */
  reconsider(): void {
    this.#tools.stale.some = true
    this.#signal.give()
  }

  async #run(): Promise<void> {
    let reviewedMs = performance.now()
    while (!this.#stopping) {
      const begunMs = performance.now()
      try {
        for (const errand of this.#errands.splice(0)) await errand()
        // Chains may have confirmed something meanwhile, or taken it back.
        if (begunMs - reviewedMs >= longestSleepMs) this.#tools.stale.some = true
        if (this.#tools.stale.some) reviewedMs = begunMs
        const candidates = await this.#claim()
        if (candidates.length > 0 || this.#tools.stale.some) await this.#process(candidates)
        if (candidates.length === largestBatch || this.#tools.stale.some) continue
        await this.#signal.wait(await this.#idleTime())
        await sleep(Math.max(0, begunMs + restMs - performance.now()))
      } catch (error) {
        const away = isDatabaseAway(error)
        this.#tools.logger[away ? 'warn' : 'error']({ err: error }, 'processing is interrupted; trying again')
        // Whether the last commit went through is unknown: the database says where the log ends.
        await this.#reload().catch(() => {})
        await sleep(away ? 250 : 1000)
      }
    }
  }

  async #claim(): Promise<Candidate[]> {
    const { pool } = this.#tools
    const due = await claimDue(pool, { fetched: true, limit: largestBatch })
    const unknown = due.filter(({ id }) => !this.#arrivals.has(id)).map(({ id }) => id)
    const envelopes = unknown.length > 0 ? await loadEnvelopes(pool, unknown) : new Map()
    return due.flatMap(({ id, retries, receptionTime }) => {
      const arrival = this.#recall(id)
      const envelope = arrival?.envelope ?? envelopes.get(id)
      if (!envelope) return []
      return [
        {
          id,
          envelope,
          receptionTime,
          retries,
          parsed: arrival?.parsed,
          balancesAreFresh: this.#unpaid.has(id),
        },
      ]
    })
  }

  #recall(id: bigint): Arrival | undefined {
    const arrival = this.#arrivals.get(id)
    if (!arrival) return undefined
    this.#arrivals.delete(id)
    this.#rememberedCharacters -= weightOf(arrival)
    return arrival
  }

  async #process(candidates: Candidate[]): Promise<void> {
    const timed = this.#metrics.batchSeconds.startTimer()
    const result = await processBatch(candidates, this.#nextSeq, this.#tools)
    timed()
    this.#nextSeq = result.nextSeq
    this.#inbox.settled(result.settled)
    if (result.readmitted > 0 || result.retried.some((retry) => retry.refetch)) this.#onRefetch()
    this.#announce(result)
    await this.#refreshFor(result.unpaid)
  }

  /** Whether a message is really too expensive shows once balances are those of the chain. */
  async #refreshFor(unpaid: bigint[]): Promise<void> {
    this.#unpaid = new Set()
    if (unpaid.length === 0) return
    try {
      await this.#refreshBalances()
      this.#unpaid = new Set(unpaid)
    } catch (error) {
      this.#tools.logger.warn({ err: error }, 'balances cannot be refreshed; messages that need them wait')
      await delay(this.#tools.pool, unpaid, new Date(Date.now() + chainPatienceMs))
    }
  }

  #announce({ processed, rejected, retried, forgotten }: BatchResult): void {
    const events = this.#events
    if (processed.length > 0) events.emit('processed', processed.map(describe))
    if (forgotten.length > 0) events.emit('forgotten', forgotten)
    if (rejected.length > 0) {
      events.emit(
        'rejected',
        rejected.map(({ candidate, errorCode, details }) => ({
          item_hash: candidate.envelope.item_hash,
          errorCode,
          details,
        })),
      )
    }
    if (retried.length > 0) {
      events.emit(
        'retry',
        retried.map(({ candidate, errorCode, at }) => ({
          item_hash: candidate.envelope.item_hash,
          errorCode,
          nextAttempt: at,
        })),
      )
    }
  }

  async #idleTime(): Promise<number> {
    return Math.min(
      longestSleepMs,
      (await untilNextDue(this.#tools.pool, { fetched: true })) ?? longestSleepMs,
    )
  }

  async #reload(): Promise<void> {
    await this.#readLogEnd()
    await this.#inbox.countPending()
  }

  /** Positions are never used twice, whatever became of the message that had them. */
  async #readLogEnd(): Promise<void> {
    const { rows } = await this.#tools.pool.query<{ next: bigint }>(
      `select 1 + greatest((select coalesce(max(seq), 0) from messages),
         (select coalesce(max(seq), 0) from forgotten_messages),
         (select coalesce(max(seq), 0) from rejected_messages),
         (select coalesce(max(seq), 0) from removed_messages)) as next`,
    )
    this.#nextSeq = rows[0]!.next
  }
}

/** Even an empty message takes some memory. */
function weightOf(arrival: Arrival): number {
  return 1000 + (arrival.envelope.item_content?.length ?? 0)
}

function describe(candidate: Candidate) {
  const { envelope } = candidate
  return {
    item_hash: envelope.item_hash,
    type: envelope.type as MessageType,
    content: candidate.parsed!.content,
    sender: envelope.sender,
    owner: ownerOf(candidate),
    channel: envelope.channel,
    seq: candidate.seq!,
  }
}
