import { type CorechannelAggregate, drainingNodes, minimumScore, nodeDrainsKey } from '@aleph-ts/protocol'
import type pg from 'pg'

/** The compute nodes that their operators want emptied. */
export async function loadDrainingNodes(pool: pg.Pool, registry: CorechannelAggregate): Promise<Set<string>> {
  const owners = new Set(
    [...registry.nodes, ...registry.resource_nodes].map(({ owner }) => owner.toLowerCase()),
  )
  const { rows } = await pool.query<{ owner: string; content: Record<string, unknown> }>(
    'select owner, content from aggregates where key = $1 and lower(owner) = any($2)',
    [nodeDrainsKey, [...owners]],
  )
  return drainingNodes(rows, registry)
}

/** Since when compute nodes have had too low a score, kept so that a restart does not begin anew. */
export class LowScores {
  readonly #pool: pg.Pool
  #since: Map<string, number> | undefined

  constructor(pool: pg.Pool) {
    this.#pool = pool
  }

  /**
   * Notes who has too low a score now. A network that nobody has scored has no low scores.
   *
   * @param now epoch seconds
   * @returns those who have had one for at least `seconds`
   */
  async lastingFor(seconds: number, registry: CorechannelAggregate, now: number): Promise<Set<string>> {
    this.#since ??= await this.#load()
    const isScored = [...registry.nodes, ...registry.resource_nodes].some(({ score }) => score > 0)
    const low = new Set(
      registry.resource_nodes.filter(({ score }) => isScored && score < minimumScore).map(({ hash }) => hash),
    )
    const over = [...this.#since.keys()].filter((hash) => !low.has(hash))
    const fresh = [...low].filter((hash) => !this.#since!.has(hash))
    if (over.length > 0) await this.#pool.query('delete from low_scores where node = any($1)', [over])
    if (fresh.length > 0) {
      await this.#pool.query(
        'insert into low_scores (node, since) select node, $2 from unnest($1::text[]) as n(node) on conflict do nothing',
        [fresh, now],
      )
    }
    for (const hash of over) this.#since.delete(hash)
    for (const hash of fresh) this.#since.set(hash, now)
    return new Set([...this.#since].filter(([, since]) => now - since >= seconds).map(([hash]) => hash))
  }

  async #load(): Promise<Map<string, number>> {
    const { rows } = await this.#pool.query<{ node: string; since: number }>(
      'select node, since from low_scores',
    )
    return new Map(rows.map(({ node, since }) => [node, since]))
  }
}
