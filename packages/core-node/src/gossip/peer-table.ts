import type pg from 'pg'
import type { Announcement, PeerType } from './announcement.ts'

/** Silent for longer than this, a peer is no longer dialed (protocol 04 §1.2), seconds. */
const maxPeerAgeSeconds = 86_400
const maxListed = 1000

/** The nodes we heard of, and how to reach them, in PostgreSQL. */
export class PeerTable {
  readonly #pool: pg.Pool

  constructor(pool: pg.Pool) {
    this.#pool = pool
  }

  /** Remembers where a peer says it is, seen now. */
  async save(peerId: string, announcement: Announcement): Promise<void> {
    const [address, ...more] = announcement.addresses
    await this.#pool.query(
      `insert into peers (peer_id, peer_type, address, more_addresses) values ($1, $2, $3, $4)
       on conflict (peer_id, peer_type) do update set address = excluded.address,
         more_addresses = excluded.more_addresses, last_seen = now()`,
      [peerId, announcement.peer_type, address, more],
    )
  }

  /** Addresses of one type heard of within a day, freshest first. */
  async addresses(type: PeerType): Promise<{ peerId: string; address: string }[]> {
    const { rows } = await this.#pool.query<{ peer_id: string; address: string }>(
      `select peer_id, unnest(array_prepend(address, more_addresses)) as address from peers
       where peer_type = $1 and last_seen > now() - make_interval(secs => $2)
       order by last_seen desc limit $3`,
      [type, maxPeerAgeSeconds, maxListed],
    )
    return rows.map((row) => ({ peerId: row.peer_id, address: row.address }))
  }
}
