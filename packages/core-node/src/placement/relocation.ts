import type { ComputeNode, CorechannelAggregate } from '@aleph-ts/protocol'
import { coreNodeUrl } from '../registry/core-node-url.ts'
import { arrivalsPath, type MigrationEnd } from './migration-paths.ts'
import { Migrations, type MigrationsOptions } from './migrations.ts'
import { planMoves } from './moves.ts'
import { epochAt, newAllocation, type Plan } from './plan.ts'

export interface RelocationInputs {
  corechannel: CorechannelAggregate
  /** Core nodes that this process acts for. */
  coreNodes: ReadonlySet<string>
  /** Our compute nodes that are to be emptied. */
  leaving: Pick<ReadonlySet<string>, 'has'>
  /** VMs that do not fit their compute nodes any more. */
  unfit: Pick<ReadonlySet<string>, 'has'>
  /** Where owners want their VMs: VM → compute node. */
  wanted: ReadonlyMap<string, string>
  refuse: (node: ComputeNode, vmHash: string) => string | null
  /** Epoch seconds. */
  now: number
}

/**
 * Empties compute nodes of ours, and brings VMs to where their owners want them (protocol 06 §8.6): programs start on
 * another one, instances move with their disks, to compute nodes of other core nodes if need be, who claim them when they
 * have arrived. The claim of an instance on its way names its target, so that a core node that was started anew goes on
 * with it.
 */
export class Relocation {
  readonly #migrations: Migrations
  readonly #refuse: MigrationsOptions['onRefused']
  /** Targets that would not take a VM, for those whose claim names one. */
  readonly #givenUp = new Set<string>()

  constructor(options: MigrationsOptions) {
    this.#refuse = options.onRefused
    this.#migrations = new Migrations({
      ...options,
      onRefused: (migration, code) => {
        this.#givenUp.add(migration.vmHash)
        options.onRefused(migration, code)
      },
    })
  }

  stop(): Promise<void> {
    return this.#migrations.stop()
  }

  /** Begins what is due, and writes what became of earlier moves into a plan: changes to be published. */
  update(plan: Plan, inputs: RelocationInputs): void {
    const { corechannel, coreNodes, leaving, unfit, wanted, refuse } = inputs
    for (const [vmHash, { target }] of this.#migrations.underway) {
      const assignment = plan.assignments.get(vmHash)
      if (assignment && coreNodes.has(assignment.coreNode)) continue
      // Once another core node has it, what it left behind may go.
      if (assignment?.computeNode === target.hash) this.#migrations.finish(vmHash)
      else this.#migrations.forget(vmHash)
    }
    this.#resume(plan, inputs)
    this.#tell(plan, inputs)
    const { underway } = this.#migrations
    const moves = planMoves({ plan, corechannel, coreNodes, leaving, unfit, wanted, underway, refuse })
    for (const { assignment, to } of moves) {
      const { workload, computeNode } = assignment
      if (workload.kind === 'instance' && to !== null) {
        this.#begin({ vmHash: workload.hash, source: computeNode, target: to }, inputs)
      } else reassign(plan, workload.hash, to, inputs.now)
    }
  }

  /** Goes on with what an earlier process of this node began. */
  #resume(plan: Plan, inputs: RelocationInputs): void {
    const { coreNodes } = inputs
    const { underway } = this.#migrations
    for (const [vmHash, { coreNode, computeNode, target }] of plan.assignments) {
      const isOurs = coreNodes.has(coreNode)
      if (target === undefined || !isOurs || underway.has(vmHash) || this.#givenUp.has(vmHash)) continue
      this.#begin({ vmHash, source: computeNode, target }, inputs)
    }
  }

  #begin(ends: { vmHash: string; source: string; target: string }, inputs: RelocationInputs): void {
    const { vmHash } = ends
    const source = migrationEnd(ends.source, vmHash, inputs)
    const target = migrationEnd(ends.target, vmHash, inputs)
    if (!target) this.#refuse({ vmHash, target: { hash: ends.target } }, 'unsupported')
    else if (source) this.#migrations.begin({ vmHash, source, target })
  }

  /** Lets claims say who is on the way, has arrived, or stays after all. */
  #tell(plan: Plan, { now }: RelocationInputs): void {
    for (const vmHash of this.#givenUp) {
      this.#givenUp.delete(vmHash)
      const assignment = plan.assignments.get(vmHash)
      if (assignment?.target !== undefined) reassign(plan, vmHash, assignment.computeNode, now)
    }
    for (const { vmHash, target } of this.#migrations.in('moving')) {
      const assignment = plan.assignments.get(vmHash)
      if (!assignment || assignment.target === target.hash) continue
      const { computeNode: node, since } = assignment
      assignment.target = target.hash
      const epoch = epochAt(now)
      plan.changes.set(vmHash, { node, epoch, since, state: 'migrating', rank: 0, target: target.hash })
    }
    for (const { vmHash, target } of this.#migrations.in('arrived')) {
      const assignment = plan.assignments.get(vmHash)
      if (assignment?.computeNode === target.hash) this.#migrations.finish(vmHash)
      else if (assignment && target.prefix === undefined) reassign(plan, vmHash, target.hash, now)
    }
  }
}

/** Whom to call about a compute node and a VM; undefined when it cannot be reached. */
function migrationEnd(
  hash: string,
  vmHash: string,
  { corechannel, coreNodes }: RelocationInputs,
): MigrationEnd | undefined {
  const node = corechannel.resource_nodes.find((each) => each.hash === hash)
  if (!node?.parent) return undefined
  if (coreNodes.has(node.parent)) return { hash, url: node.address }
  const parent = corechannel.nodes.find((each) => each.hash === node.parent)
  const url = parent && coreNodeUrl(parent)
  return url ? { hash, url, prefix: arrivalsPath(hash, vmHash) } : undefined
}

/** @param to null: nowhere of ours any more */
function reassign(plan: Plan, vmHash: string, to: string | null, now: number): void {
  const assignment = plan.assignments.get(vmHash)!
  if (to === null) {
    plan.assignments.delete(vmHash)
    plan.changes.set(vmHash, null)
    return
  }
  const { target: _, ...rest } = assignment
  plan.assignments.set(vmHash, { ...rest, computeNode: to, since: now })
  plan.changes.set(vmHash, newAllocation(to, now))
}
