import { devnetProfile, type Envelope, type NetworkProfile } from '@aleph-ts/protocol'
import type pg from 'pg'
import { pino } from 'pino'
import { inTransaction } from '../../src/database/pool.ts'
import { CoreEvents } from '../../src/events.ts'
import { Inbox, type Origin } from '../../src/inbox/inbox.ts'
import type { Candidate } from '../../src/pipeline/candidate.ts'
import { type BatchResult, type ProcessingTools, processBatch } from '../../src/pipeline/process-batch.ts'
import { takeTombstones } from '../../src/pipeline/take-tombstones.ts'
import { recordTransactions } from '../../src/state/confirmations.ts'
import { stateDigests } from '../../src/state/digest.ts'
import { eraseForgotten } from '../../src/state/forgets.ts'
import { claimDue, loadEnvelopes } from '../../src/state/pending.ts'
import { loadTombstones, type Tombstone } from '../../src/state/tombstones.ts'
import { unsignedFieldsOf } from '../../src/state/unsigned-fields.ts'
import type { FileStore } from '../../src/storage/file-store.ts'

const logger = pino({ level: process.env.LOG_LEVEL ?? 'silent' })

/** Contents that can be had, and test files: their hash ends in what they weigh, in kibibytes of three decimal digits. */
class TestFiles implements Pick<FileStore, 'stat' | 'has' | 'readBytes'> {
  readonly contents = new Map<string, string>()

  async stat(hash: string) {
    const size = this.contents.get(hash)?.length
    if (size !== undefined) return { type: 'file' as const, size }
    return /^f{8}/.test(hash) ? { type: 'file' as const, size: Number(hash.slice(-3)) * 1024 } : undefined
  }

  async has(): Promise<boolean> {
    return true
  }

  async readBytes(hash: string): Promise<Buffer | undefined> {
    const text = this.contents.get(hash)
    return text === undefined ? undefined : Buffer.from(text)
  }
}

/** A node's inbox and pipeline without its doors and clocks: messages go in, and are judged when the test says so. */
export class PipelineNode {
  readonly pool: pg.Pool
  /** Hashes of messages that clients were told to be processed. */
  readonly announced: string[] = []
  readonly #inbox: Inbox
  readonly #tools: ProcessingTools
  readonly #files = new TestFiles()
  /** Gossiped messages, which are not stored before they are judged. */
  #fresh: Candidate[] = []
  #nextSeq = 1n

  constructor(pool: pg.Pool, profile: NetworkProfile = devnetProfile, options: { maxRetries?: number } = {}) {
    this.pool = pool
    this.#inbox = new Inbox({
      pool,
      events: new CoreEvents(),
      fileStore: this.#files as unknown as FileStore,
      verifier: undefined as never,
      pendingLimit: 100_000,
      futureSeconds: null,
    })
    this.#inbox.onFresh(({ envelope, parsed }) => {
      this.#fresh.push({ envelope, parsed, receptionTime: new Date(), retries: 0, balancesAreFresh: true })
      return true
    })
    this.#tools = {
      pool,
      profile,
      fileStore: this.#files,
      logger,
      maxRetries: options.maxRetries ?? 0,
      waitedFor: new Set(),
      stale: { some: true },
    }
  }

  /** Takes messages in together and judges them, in batches of a size. */
  async take(messages: Envelope[], options: { door?: Origin['door']; batch?: number } = {}): Promise<void> {
    const { door = 'gossip', batch = 200 } = options
    await Promise.all(messages.map((message) => this.#inbox.accept(message, { door, verified: true })))
    // The fetch stage finds everything.
    await this.pool.query('update pending_messages set fetched = true where not fetched')
    await this.#judge(batch)
  }

  /** Contents of messages that may come apart. */
  offer(messages: Envelope[]): void {
    for (const { item_hash, item_content } of messages) this.#files.contents.set(item_hash, item_content!)
  }

  /** The time of grace of everything forgotten is over. */
  async erase(): Promise<void> {
    await inTransaction(this.pool, (tx) => eraseForgotten(tx, new Date('2100-01-01')))
  }

  /** What is left of erased messages, of those hashes. */
  async tombstones(messages: Envelope[]): Promise<Tombstone[]> {
    return loadTombstones(
      this.pool,
      messages.map((message) => message.item_hash),
    )
  }

  async takeTombstones(tombstones: Tombstone[]): Promise<void> {
    await inTransaction(this.pool, (tx) => takeTombstones(tx, tombstones))
    await this.#judge(200)
  }

  /** A chain confirms messages, each at a time and in the copy that is given here. */
  async confirm(confirmations: { message: Envelope; time: number }[]): Promise<void> {
    const transactions = confirmations.map(({ time }) => ({
      hash: `0x${time}`,
      chain: 'ETH' as const,
      height: Math.round(time),
      time,
      publisher: 'somebody',
      protocol: 'aleph',
      protocolVersion: 1,
      content: '{}',
    }))
    await recordTransactions(this.pool, transactions)
    await this.#inbox.confirm(
      confirmations.map(({ message, time }) => ({
        itemHash: message.item_hash,
        txHash: `0x${time}`,
        copy: unsignedFieldsOf(message),
      })),
    )
    await this.#judge(200)
  }

  /** A chain takes the block of a time back. */
  async unconfirm(time: number): Promise<void> {
    await this.#inbox.unconfirm([`0x${time}`])
    await this.#judge(200)
  }

  async #judge(batch: number): Promise<void> {
    this.#tools.stale.some = true
    for (;;) {
      const candidates = await this.#claim(batch)
      if (candidates.length === 0 && !this.#tools.stale.some) return
      const result: BatchResult = await processBatch(candidates, this.#nextSeq, this.#tools)
      this.#nextSeq = result.nextSeq
      this.announced.push(...result.processed.map(({ envelope }) => envelope.item_hash))
    }
  }

  async #claim(limit: number): Promise<Candidate[]> {
    const due = await claimDue(this.pool, { fetched: true, limit })
    const envelopes = await loadEnvelopes(
      this.pool,
      due.map(({ id }) => id),
    )
    const fresh = this.#fresh.splice(0, limit - due.length)
    return [
      ...due.map((row) => ({ ...row, envelope: envelopes.get(row.id)!, balancesAreFresh: true })),
      ...fresh,
    ]
  }

  async digests(): Promise<Record<string, string>> {
    return stateDigests(this.pool)
  }

  /** What is kept for lists: messages by status and type, and the tags that posts show. */
  async keptFigures(): Promise<unknown[]> {
    const counts = await this.pool.query(
      'select status, type, total from status_counts where total <> 0 order by status, type',
    )
    const tags = await this.pool.query(
      'select item_hash, shown_tags as tags from posts where shown_tags is not null order by item_hash',
    )
    return [counts.rows, tags.rows]
  }

  /** The same, from what it follows from. */
  async figures(): Promise<unknown[]> {
    const counts = await this.pool.query(
      'select status, type, count(*) as total from messages group by status, type order by status, type',
    )
    const tags = await this.pool.query(
      `select o.item_hash, m.tags from posts o join messages m on m.item_hash = coalesce(o.latest_amend, o.item_hash)
       where o.amends is null and m.tags is not null order by o.item_hash`,
    )
    return [counts.rows, tags.rows]
  }

  /** Status and error code of messages. */
  async fates(messages: Envelope[]): Promise<string[]> {
    const { rows } = await this.pool.query<{ item_hash: string; fate: string }>(
      `select item_hash, status as fate from messages union all
       select item_hash, 'forgotten' from forgotten_messages union all
       select item_hash, 'rejected ' || error_code from rejected_messages union all
       select item_hash, 'pending' from pending_messages`,
    )
    const fates = new Map(rows.map((row) => [row.item_hash, row.fate]))
    return messages.map((message) => fates.get(message.item_hash) ?? 'unknown')
  }

  async fund(address: string, balance: string): Promise<void> {
    await this.pool.query("insert into balances (address, chain, balance) values ($1, 'ETH', $2)", [
      address,
      balance,
    ])
  }

  async wipe(): Promise<void> {
    const { rows } = await this.pool.query<{ name: string }>(
      `select tablename as name from pg_tables where schemaname = 'public' and tablename not in ('schema_migrations', 'node_info')`,
    )
    // Deleting a few rows is much faster than truncating; pins come before the files they name.
    const names = rows
      .map((row) => row.name)
      .sort((a, b) => Number(b === 'file_pins') - Number(a === 'file_pins'))
    await this.pool.query(names.map((name) => `delete from ${name}`).join('; '))
    this.#nextSeq = 1n
    this.#tools.waitedFor.clear()
  }
}
