import { type Envelope, MessageSet } from '@aleph-ts/protocol'
import type pg from 'pg'
import { loadTombstones, type Tombstone } from '../state/tombstones.ts'

/** What catch-up needs to know of a node's own messages. */
export interface HeldMessages {
  /** The messages held, as of now. */
  set(): Promise<MessageSet>
  /** The messages as they were signed, of those hashes whose content is still here; in any order. */
  envelopes(hashes: string[]): Promise<Envelope[]>
  /** What is left of forgotten ones, of those hashes whose content was erased. */
  tombstones(hashes: string[]): Promise<Tombstone[]>
  /**
   * Those of the hashes that this node neither has nor works on. Refused ones are among them: what was refused may have
   * been a forged copy, and a peer that processed the message has a good one.
   */
  unknown(hashes: string[]): Promise<string[]>
}

/** Rows that are read into the set before others get a turn. */
const rowsPerRead = 1000

const columns = 'sender, chain, signature, type, item_type, item_hash, item_content, time, channel'

/** Of forgotten messages: the content is still here. */
const isWhole = '(item_content is not null or content is not null)'

/**
 * The set of messages that a node can tell others about: processed ones, and forgotten ones, without which nobody else
 * can accept a FORGET. It is read once from the database, and then kept up by what the database's triggers note.
 */
export class PostgresHeldMessages implements HeldMessages {
  readonly #pool: pg.Pool
  #set: MessageSet | undefined
  #updating: Promise<MessageSet> | undefined

  constructor(pool: pg.Pool) {
    this.#pool = pool
  }

  set(): Promise<MessageSet> {
    this.#updating ??= this.#update().finally(() => {
      this.#updating = undefined
    })
    return this.#updating
  }

  async envelopes(hashes: string[]): Promise<Envelope[]> {
    const { rows } = await this.#pool.query<Envelope>({
      name: 'catch-up-envelopes',
      text: `select ${columns} from messages where item_hash = any($1)
             union all
             select ${columns} from forgotten_messages
             where item_hash = any($1) and ${isWhole}`,
      values: [hashes],
    })
    return rows
  }

  tombstones(hashes: string[]): Promise<Tombstone[]> {
    return loadTombstones(this.#pool, hashes)
  }

  async unknown(hashes: string[]): Promise<string[]> {
    const { rows } = await this.#pool.query<{ item_hash: string }>({
      name: 'catch-up-unknown',
      text: `select item_hash from unnest($1::text[]) as asked (item_hash)
             where not exists (select from messages where messages.item_hash = asked.item_hash)
               and not exists (select from pending_messages where pending_messages.item_hash = asked.item_hash)
               and not exists (select from forgotten_messages where forgotten_messages.item_hash = asked.item_hash)
               and not exists (select from removed_messages where removed_messages.item_hash = asked.item_hash)`,
      values: [hashes],
    })
    return rows.map((row) => row.item_hash)
  }

  async #update(): Promise<MessageSet> {
    if (!this.#set) {
      this.#set = await this.#read()
      return this.#set
    }
    const set = this.#set
    const { rows } = await this.#pool.query<{ item_hash: string; sender_time: bigint; held: boolean }>({
      name: 'take-set-changes',
      text: `with taken as (delete from set_changes returning item_hash, sender_time)
             select c.item_hash, c.sender_time,
               exists (select from messages m where m.item_hash = c.item_hash)
               or exists (select from forgotten_messages f where f.item_hash = c.item_hash) as held
             from (select distinct item_hash, sender_time from taken) c`,
    })
    for (const row of rows) {
      if (row.held) set.add(Number(row.sender_time), row.item_hash)
      else set.delete(Number(row.sender_time), row.item_hash)
    }
    return set
  }

  /** Reads all of it in one snapshot: changes noted later are later changes. */
  async #read(): Promise<MessageSet> {
    const set = new MessageSet()
    const client = await this.#pool.connect()
    try {
      await client.query('begin isolation level repeatable read')
      await client.query('delete from set_changes')
      await client.query(
        `declare held no scroll cursor for
         select item_hash, sender_time from messages
         union all select item_hash, sender_time from forgotten_messages`,
      )
      for (;;) {
        const { rows } = await client.query<{ item_hash: string; sender_time: bigint }>(
          `fetch ${rowsPerRead} from held`,
        )
        for (const row of rows) set.add(Number(row.sender_time), row.item_hash)
        if (rows.length < rowsPerRead) break
      }
      await client.query('commit')
      return set
    } catch (error) {
      await client.query('rollback').catch(() => {})
      throw error
    } finally {
      client.release()
    }
  }
}
