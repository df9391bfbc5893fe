import type { Envelope } from '@aleph-ts/protocol'
import type pg from 'pg'

/** One processed message's place in a node's log. */
export interface LogEntry {
  seq: bigint
  hash: string
}

/** What catch-up needs to know of a node's own messages. */
export interface MessageLog {
  /** Changes when the node lost its data: positions of another log mean nothing here. */
  id(): Promise<string>
  /** The entries after a position, in order. */
  entriesAfter(seq: bigint, limit: number): Promise<LogEntry[]>
  /** The messages as they were signed, of those hashes that are known; in any order. */
  envelopes(hashes: string[]): Promise<Envelope[]>
  /**
   * Those of the hashes that this node neither has nor works on. Refused ones are among them: what was refused may have
   * been a forged copy, and a peer that processed the message has a good one.
   */
  unknown(hashes: string[]): Promise<string[]>
}

/** The log kept in the `messages` table. */
export class PostgresMessageLog implements MessageLog {
  readonly #pool: pg.Pool

  constructor(pool: pg.Pool) {
    this.#pool = pool
  }

  async id(): Promise<string> {
    const { rows } = await this.#pool.query<{ value: string }>(
      "select value from node_info where key = 'log_id'",
    )
    if (!rows[0]) throw new Error('the database has no log id; its migrations did not run')
    return rows[0].value
  }

  async entriesAfter(seq: bigint, limit: number): Promise<LogEntry[]> {
    const { rows } = await this.#pool.query<{ seq: string; item_hash: string }>({
      name: 'catch-up-entries',
      text: 'select seq::text, item_hash from messages where seq > $1 order by seq limit $2',
      values: [seq.toString(), limit],
    })
    return rows.map((row) => ({ seq: BigInt(row.seq), hash: row.item_hash }))
  }

  async envelopes(hashes: string[]): Promise<Envelope[]> {
    const { rows } = await this.#pool.query<Envelope>({
      name: 'catch-up-envelopes',
      text: `select sender, chain, signature, type, item_type, item_hash, item_content, time, channel
             from messages where item_hash = any($1) order by seq`,
      values: [hashes],
    })
    return rows
  }

  async unknown(hashes: string[]): Promise<string[]> {
    const { rows } = await this.#pool.query<{ item_hash: string }>({
      name: 'catch-up-unknown',
      text: `select item_hash from unnest($1::text[]) as asked (item_hash)
             where not exists (select from messages where messages.item_hash = asked.item_hash)
               and not exists (select from pending_messages where pending_messages.item_hash = asked.item_hash)
               and not exists (select from forgotten_messages where forgotten_messages.item_hash = asked.item_hash)`,
      values: [hashes],
    })
    return rows.map((row) => row.item_hash)
  }
}
