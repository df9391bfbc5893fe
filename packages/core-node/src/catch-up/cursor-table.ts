import type pg from 'pg'

/** How far one peer's log was followed. */
export interface Cursor {
  logId: string
  seq: bigint
}

/** Positions in peers' logs that outlive a restart. */
export interface CursorStore {
  load(peerId: string): Promise<Cursor | null>
  save(peerId: string, cursor: Cursor): Promise<void>
}

/** Cursors in the `catch_up_cursors` table. */
export class PostgresCursorStore implements CursorStore {
  readonly #pool: pg.Pool

  constructor(pool: pg.Pool) {
    this.#pool = pool
  }

  async load(peerId: string): Promise<Cursor | null> {
    const { rows } = await this.#pool.query<{ log_id: string; seq: string }>(
      'select log_id, seq::text from catch_up_cursors where peer_id = $1',
      [peerId],
    )
    return rows[0] ? { logId: rows[0].log_id, seq: BigInt(rows[0].seq) } : null
  }

  async save(peerId: string, cursor: Cursor): Promise<void> {
    await this.#pool.query(
      `insert into catch_up_cursors (peer_id, log_id, seq) values ($1, $2, $3)
       on conflict (peer_id) do update set log_id = excluded.log_id, seq = excluded.seq, updated_at = now()`,
      [peerId, cursor.logId, cursor.seq.toString()],
    )
  }
}
