import type { CapacityLedger } from './capacity-ledger.ts'
import { demandReason, type PlacementOptions, type Topology } from './place-vm.ts'
import type { VmRequirements } from './vm-requirements.ts'

interface Verdicts {
  /** For every compute node of the topology, why it cannot take such a VM, or null. */
  reasons: (string | null)[]
  /** So many of the reservations are taken into account. */
  upTo: number
}

type VerdictOptions = Required<Pick<PlacementOptions, 'reports' | 'ledger'>> &
  Pick<PlacementOptions, 'policy'>

/** Kinds of demand that are remembered; VMs of most networks come in a few sizes. */
const mostKinds = 256

/**
 * Which compute nodes can take which kind of VM while a plan is made. VMs that demand the same get the same answer, and
 * a reservation changes the answer for one node only: so a VM that fits nowhere costs next to nothing when another one
 * like it was asked about before.
 */
export class DemandVerdicts {
  readonly #topology: Topology
  readonly #options: VerdictOptions
  readonly #indexOf: ReadonlyMap<string, number>
  readonly #kinds = new Map<string, Verdicts>()
  /** Indices of nodes on which something was reserved, in order. */
  readonly #reserved: number[] = []

  constructor(topology: Topology, options: VerdictOptions) {
    this.#topology = topology
    this.#options = options
    this.#indexOf = new Map(topology.nodes.map(({ node }, index) => [node.hash, index]))
  }

  /** Takes what a VM needs; see {@link CapacityLedger.reserve}. */
  reserve(nodeHash: string, requirements: VmRequirements): void {
    this.#options.ledger.reserve(nodeHash, requirements)
    const index = this.#indexOf.get(nodeHash)
    if (index !== undefined) this.#reserved.push(index)
  }

  /** For every compute node of the topology, why it cannot take a VM, or null; not to be changed. */
  of(requirements: VmRequirements): readonly (string | null)[] {
    const kind = JSON.stringify(requirements)
    const known = this.#kinds.get(kind)
    if (known) {
      for (const index of new Set(this.#reserved.slice(known.upTo))) {
        known.reasons[index] = this.#reason(index, requirements)
      }
      known.upTo = this.#reserved.length
      return known.reasons
    }
    const reasons = this.#topology.nodes.map((_, index) => this.#reason(index, requirements))
    if (this.#kinds.size >= mostKinds) this.#kinds.delete(this.#kinds.keys().next().value!)
    this.#kinds.set(kind, { reasons, upTo: this.#reserved.length })
    return reasons
  }

  #reason(index: number, requirements: VmRequirements): string | null {
    const { node, reason } = this.#topology.nodes[index]!
    return reason ?? demandReason(node, requirements, this.#options)
  }
}
