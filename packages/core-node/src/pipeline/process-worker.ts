import { setTimeout as sleep } from 'node:timers/promises'
import type { Envelope, MessageType } from '@aleph-ts/protocol'
import { isDatabaseAway } from '../database/pool.ts'
import type { CoreEvents } from '../events.ts'
import type { Inbox } from '../inbox/inbox.ts'
import type { Arrival } from '../inbox/store-arrivals.ts'
import type { CoreMetrics } from '../metrics.ts'
import { claimDue, delay, loadEnvelopes, loadWaitedFor, untilNextDue } from '../state/pending.ts'
import { type Candidate, ownerOf } from './candidate.ts'
import { type BatchResult, type ProcessingTools, processBatch } from './process-batch.ts'
import { Signal } from './signal.ts'

/** Messages applied in one transaction at most: so many stored ones and, as neither may starve the other, fresh ones. */
const largestBatch = 200
/** Parsed arrivals kept in memory for the worker, in characters; the rest is read back from the inbox. */
const mostRememberedCharacters = 32 * 1024 * 1024
/**
 * Batches begin so far apart, ms, unless a full one waits: a transaction costs about as much as ten messages in it, so
 * that a steady trickle is worth gathering.
 */
const restMs = 20
/** The same when only gossiped messages wait, for which nobody at our door waits. */
const gossipRestMs = 50
/** Gossiped messages that wait in memory alone. */
const mostFresh = 4_000
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
  /** When the last batch began and the next one shall, on the clock of `performance.now()`. */
  #begunMs = 0
  #wantedMs = 0
  /** Whether stored messages may be due, and when they will be if nobody says so before. */
  #mayBeDue = true
  #nextDueMs = 0
  readonly #arrivals = new Map<bigint, Arrival>()
  /** Gossiped messages that are stored nowhere yet. */
  #fresh: Candidate[] = []
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
    this.#want(0)
    await this.#loop
    for (const errand of this.#errands.splice(0)) await errand()
  }

  /** New messages are in the inbox; `arrivals` saves reading and parsing them again. */
  wake(arrivals: Arrival[] = []): void {
    for (const arrival of arrivals) {
      if (!arrival.fetched || arrival.id === undefined) continue
      if (this.#rememberedCharacters >= mostRememberedCharacters) break
      this.#arrivals.set(arrival.id, arrival)
      this.#rememberedCharacters += weightOf(arrival.envelope)
    }
    this.#mayBeDue = true
    this.#wantAfter(restMs)
  }

  /**
   * Takes a gossiped message that needs nothing fetched, without storing it first: peers have it too, should this node
   * die before it is processed.
   *
   * @returns false when it has to be stored, because too many wait or processing has not begun
   */
  takeFresh({ envelope, parsed }: Arrival): boolean {
    if (!this.#loop || this.#stopping || this.#fresh.length >= mostFresh) return false
    if (this.#rememberedCharacters >= mostRememberedCharacters) return false
    this.#fresh.push({ envelope, parsed, receptionTime: new Date(), retries: 0 })
    this.#rememberedCharacters += weightOf(envelope)
    this.#wantFresh()
    return true
  }

  /** Runs something that changes the state between two batches; rejects when it fails. */
  exclusively<T>(work: () => Promise<T>): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>()
    this.#errands.push(() => work().then(resolve, reject))
    this.#wantAfter(restMs)
    return promise
  }

  /** Confirmations changed, or verdicts are out of date for another reason. */
  reconsider(): void {
    this.#tools.stale.some = true
    this.#wantAfter(restMs)
  }

  #wantFresh(): void {
    if (this.#fresh.length >= largestBatch) this.#want(0)
    else this.#wantAfter(gossipRestMs)
  }

  #wantAfter(delayMs: number): void {
    this.#want(this.#begunMs + delayMs)
  }

  #want(atMs: number): void {
    if (atMs >= this.#wantedMs) return
    this.#wantedMs = atMs
    this.#signal.give()
  }

  async #run(): Promise<void> {
    let reviewedMs = performance.now()
    while (!this.#stopping) {
      this.#begunMs = performance.now()
      this.#wantedMs = Number.POSITIVE_INFINITY
      let fresh = this.#fresh.splice(0, largestBatch)
      try {
        for (const errand of this.#errands.splice(0)) {
          await errand()
          this.#mayBeDue = true
        }
        // Chains may have confirmed something meanwhile, or taken it back.
        if (this.#begunMs - reviewedMs >= longestSleepMs) this.#tools.stale.some = true
        if (this.#tools.stale.some) reviewedMs = this.#begunMs
        const stored = await this.#claim()
        if (stored.length + fresh.length > 0 || this.#tools.stale.some) {
          await this.#process([...stored, ...fresh])
        }
        this.#forgetWeight(fresh)
        fresh = []
        if (this.#fresh.length > 0) this.#wantFresh()
        const hasMore = stored.length === largestBatch || this.#tools.stale.some
        this.#want(hasMore ? 0 : Math.max(this.#begunMs + restMs, await this.#nextDue()))
        await this.#rest()
      } catch (error) {
        this.#fresh.unshift(...fresh.map(asItCame))
        const away = isDatabaseAway(error)
        this.#tools.logger[away ? 'warn' : 'error']({ err: error }, 'processing is interrupted; trying again')
        // Whether the last commit went through is unknown: the database says where the log ends.
        await this.#reload().catch(() => {})
        await sleep(away ? 250 : 1000)
      }
    }
  }

  /** Resolves when the next batch is wanted. */
  async #rest(): Promise<void> {
    for (;;) {
      const delayMs = this.#wantedMs - performance.now()
      if (delayMs <= 0) return
      await this.#signal.wait(delayMs)
    }
  }

  /** Stored messages that are due. */
  async #claim(): Promise<Candidate[]> {
    if (!this.#mayBeDue && !(performance.now() >= this.#nextDueMs)) return []
    this.#mayBeDue = false
    this.#nextDueMs = Number.NaN
    const { pool } = this.#tools
    const due = await claimDue(pool, { fetched: true, limit: largestBatch })
    if (due.length === largestBatch) this.#mayBeDue = true
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
    this.#rememberedCharacters -= weightOf(arrival.envelope)
    return arrival
  }

  #forgetWeight(candidates: Candidate[]): void {
    for (const { envelope } of candidates) this.#rememberedCharacters -= weightOf(envelope)
  }

  async #process(candidates: Candidate[]): Promise<void> {
    const timed = this.#metrics.batchSeconds.startTimer()
    const result = await processBatch(candidates, this.#nextSeq, this.#tools)
    timed()
    this.#nextSeq = result.nextSeq
    this.#inbox.settled(result.settled)
    if (result.pendingChanged) this.#nextDueMs = Number.NaN
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

  /** When the next stored message is due, on the clock of `performance.now()`; the worker looks by itself now and then. */
  async #nextDue(): Promise<number> {
    if (this.#mayBeDue) return 0
    if (Number.isNaN(this.#nextDueMs)) {
      const delayMs = await untilNextDue(this.#tools.pool, { fetched: true })
      this.#nextDueMs = performance.now() + Math.min(longestSleepMs, delayMs ?? longestSleepMs)
    }
    return this.#nextDueMs
  }

  async #reload(): Promise<void> {
    this.#mayBeDue = true
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

/** A fresh message without what an interrupted attempt left on it. */
function asItCame({ envelope, parsed, receptionTime }: Candidate): Candidate {
  return { envelope, parsed, receptionTime, retries: 0 }
}

/** Even an empty message takes some memory. */
function weightOf(envelope: Envelope): number {
  return 1000 + (envelope.item_content?.length ?? 0)
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
