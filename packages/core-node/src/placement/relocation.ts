import type { ComputeNode, CorechannelAggregate } from '@aleph-ts/protocol'
import { type MigrationEnd, Migrations, type MigrationsOptions } from './migrations.ts'
import { planMoves } from './moves.ts'
import type { Plan } from './plan.ts'

export interface RelocationInputs {
  corechannel: CorechannelAggregate
  /** Core nodes that this process acts for. */
  coreNodes: ReadonlySet<string>
  /** Our compute nodes that are to be emptied. */
  leaving: ReadonlySet<string>
  /** Where owners want their VMs: VM → compute node. */
  wanted: ReadonlyMap<string, string>
  refuse: (node: ComputeNode, vmHash: string) => string | null
  /** Epoch seconds. */
  now: number
}

const epochSeconds = 60

/**
 * Empties compute nodes of ours (protocol 06 §8.6), and brings VMs to where their owners want them: programs start on
 * another one, instances move with their disks. The claim of an instance on its way names its target, so that a core
 * node that was started anew goes on with it.
 */
export class Relocation {
  readonly #migrations: Migrations
  /** Targets that would not take a VM, for those whose claim names one. */
  readonly #givenUp = new Set<string>()

  constructor(options: MigrationsOptions) {
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
    const { corechannel, coreNodes, leaving, wanted, refuse } = inputs
    const urls = new Map(corechannel.resource_nodes.map(({ hash, address }) => [hash, address]))
    const endOf = (hash: string): MigrationEnd => ({ hash, url: urls.get(hash) ?? '' })
    for (const vmHash of this.#migrations.underway) {
      const assignment = plan.assignments.get(vmHash)
      if (!assignment || !coreNodes.has(assignment.coreNode)) this.#migrations.forget(vmHash)
    }
    this.#resume(plan, coreNodes, endOf)
    this.#tell(plan, inputs)
    const { underway } = this.#migrations
    const moves = planMoves({ plan, corechannel, coreNodes, leaving, wanted, underway, refuse })
    for (const { assignment, to } of moves) {
      const { workload, computeNode } = assignment
      if (workload.kind === 'instance' && to !== null) {
        this.#migrations.begin({ vmHash: workload.hash, source: endOf(computeNode), target: endOf(to) })
      } else reassign(plan, workload.hash, to, inputs.now)
    }
  }

  /** Goes on with what an earlier process of this node began. */
  #resume(plan: Plan, coreNodes: ReadonlySet<string>, endOf: (hash: string) => MigrationEnd): void {
    const { underway } = this.#migrations
    for (const [vmHash, { coreNode, computeNode, target }] of plan.assignments) {
      const isOurs = coreNodes.has(coreNode)
      if (target === undefined || !isOurs || underway.has(vmHash) || this.#givenUp.has(vmHash)) continue
      this.#migrations.begin({ vmHash, source: endOf(computeNode), target: endOf(target) })
    }
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
      const epoch = Math.floor(now / epochSeconds)
      plan.changes.set(vmHash, { node, epoch, since, state: 'migrating', rank: 0, target: target.hash })
    }
    for (const { vmHash, target } of this.#migrations.in('arrived')) {
      const assignment = plan.assignments.get(vmHash)
      if (assignment?.computeNode === target.hash) this.#migrations.finish(vmHash)
      else if (assignment) reassign(plan, vmHash, target.hash, now)
    }
  }
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
  const epoch = Math.floor(now / epochSeconds)
  plan.changes.set(vmHash, { node: to, epoch, since: now, state: 'assigned', rank: 0 })
}
