import type { Placement } from '../placement/placement.ts'
import type { EventFollower } from './event-follower.ts'

/** How often the places of VMs are compared, ms. */
const lookMs = 1000

interface Watcher {
  address: string | undefined
  /** What was told about each VM. */
  told: Map<string, string>
}

/** Tells followers where the VMs of an address run: first how it is, then every change. */
export class AllocationWatch {
  readonly #placement: Placement
  readonly #watchers = new Map<EventFollower, Watcher>()
  #timer: NodeJS.Timeout | undefined

  constructor(placement: Placement) {
    this.#placement = placement
  }

  add(follower: EventFollower, address: string | undefined): void {
    const watcher = { address, told: new Map<string, string>() }
    this.#watchers.set(follower, watcher)
    this.#tell(follower, watcher, this.#places())
    this.#timer ??= setInterval(() => this.#look(), lookMs)
  }

  remove(follower: EventFollower): void {
    this.#watchers.delete(follower)
    if (this.#watchers.size === 0) this.stop()
  }

  stop(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  #look(): void {
    const places = this.#places()
    for (const [follower, watcher] of this.#watchers) this.#tell(follower, watcher, places)
  }

  #tell(follower: EventFollower, { address, told }: Watcher, places: Map<string, Place>): void {
    for (const [vmHash, { owner, json }] of places) {
      if ((address !== undefined && owner !== address) || told.get(vmHash) === json) continue
      told.set(vmHash, json)
      follower.send('allocation', json)
    }
    for (const vmHash of told.keys()) {
      if (places.has(vmHash)) continue
      told.delete(vmHash)
      follower.send('allocation', JSON.stringify({ vm_hash: vmHash, node: null }))
    }
  }

  #places(): Map<string, Place> {
    const urls = new Map(
      (this.#placement.corechannel?.resource_nodes ?? []).map(({ hash, address }) => [hash, address]),
    )
    const places = new Map<string, Place>()
    for (const { workload, computeNode, coreNode, since } of this.#placement.assignments()) {
      const node = { node_id: computeNode, url: urls.get(computeNode) ?? null }
      const json = JSON.stringify({ vm_hash: workload.hash, node, core_node: coreNode, since })
      places.set(workload.hash, { owner: workload.owner, json })
    }
    return places
  }
}

interface Place {
  owner: string
  json: string
}
