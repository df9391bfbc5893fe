import type { CorechannelAggregate } from '@aleph-ts/protocol'
import type pg from 'pg'

/** The link that a compute node had, as this node saw it in the registry. */
export interface NodeLink {
  /** Hash of a core node. */
  parent: string
  /** Epoch seconds since when it is linked to it no more; null while it is. */
  ended: number | null
}

/** What a core node takes over from another one's compute node is claimed anew well before this is over, seconds. */
const takeOverSeconds = 600

/**
 * Remembers who compute nodes were linked to (protocol 06 §8.6). What runs on one that was unlinked is not lost at once:
 * its former core node looks after it for a while, or whoever it was linked to since then takes it over.
 */
export class NodeLinks {
  readonly #pool: pg.Pool
  readonly #graceSeconds: number
  #links: Map<string, NodeLink> | undefined

  /** @param options.graceSeconds how long a former core node looks after a compute node */
  constructor(pool: pg.Pool, { graceSeconds }: { graceSeconds: number }) {
    this.#pool = pool
    this.#graceSeconds = graceSeconds
  }

  /**
   * Notes how compute nodes are linked now.
   *
   * @param now epoch seconds
   * @returns the registry with unlinked nodes (their status says so) below their former core nodes
   */
  async look(registry: CorechannelAggregate, now: number): Promise<CorechannelAggregate> {
    this.#links ??= await this.#load()
    const links = this.#links
    const changed: [string, NodeLink][] = []
    for (const { hash, parent } of registry.resource_nodes) {
      const before = links.get(hash)
      const after = linkOf(before, parent, now)
      if (!after || (after.parent === before?.parent && after.ended === before.ended)) continue
      links.set(hash, after)
      changed.push([hash, after])
    }
    await this.#save(changed)
    const resource_nodes = registry.resource_nodes.map((node) => {
      const link = node.parent === null ? links.get(node.hash) : undefined
      const isInGrace = link?.ended != null && now - link.ended < this.#graceSeconds
      return isInGrace ? { ...node, parent: link.parent } : node
    })
    return { ...registry, resource_nodes }
  }

  /** Hash of the core node that a compute node was linked to before it was linked to another one a moment ago. */
  get former(): ReadonlyMap<string, string> {
    const ended = [...(this.#links ?? [])].filter(([, link]) => link.ended !== null)
    return new Map(ended.map(([node, { parent }]) => [node, parent]))
  }

  /** For how long a compute node has been without its last core node, seconds; 0 while it is linked to it. */
  secondsUnlinked(node: string, now: number): number {
    const ended = this.#links?.get(node)?.ended
    return ended == null ? 0 : now - ended
  }

  async #load(): Promise<Map<string, NodeLink>> {
    const { rows } = await this.#pool.query<NodeLink & { node: string }>('select * from node_links')
    return new Map(rows.map(({ node, parent, ended }) => [node, { parent, ended }]))
  }

  async #save(changed: [string, NodeLink][]): Promise<void> {
    if (changed.length === 0) return
    await this.#pool.query(
      `insert into node_links (node, parent, ended) select * from unnest($1::text[], $2::text[], $3::float8[])
       on conflict (node) do update set parent = excluded.parent, ended = excluded.ended`,
      [
        changed.map(([node]) => node),
        changed.map(([, { parent }]) => parent),
        changed.map(([, { ended }]) => ended),
      ],
    )
  }
}

/** @param parent of the node now */
function linkOf(before: NodeLink | undefined, parent: string | null, now: number): NodeLink | undefined {
  if (before === undefined) return parent === null ? undefined : { parent, ended: null }
  if (parent === before.parent) return { parent, ended: null }
  const ended = before.ended ?? now
  if (parent !== null && now - ended >= takeOverSeconds) return { parent, ended: null }
  return { parent: before.parent, ended }
}
