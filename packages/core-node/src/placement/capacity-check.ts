import type { ComputeNode } from '@aleph-ts/protocol'
import { z } from 'zod'
import type { ComputeNodeCalls } from './compute-node-calls.ts'
import { type MigrationEnd, migrationPaths } from './migration-paths.ts'
import type { Plan } from './plan.ts'
import type { Refusals } from './refusals.ts'

const answerSchema = z.object({
  results: z.record(
    z.string(),
    z.looseObject({ accepted: z.boolean(), code: z.string().max(64).optional() }),
  ),
})

/** A node that takes longer is taken at its report. */
const answerMs = 5_000

/**
 * Asks a compute node whether it would run some VMs, all of them together (protocol 06 §7.5).
 *
 * @returns for each VM that it refuses, the code; undefined when the node cannot be asked
 */
export async function askForRefusals(
  calls: ComputeNodeCalls,
  { url, prefix = '' }: Pick<MigrationEnd, 'url' | 'prefix'>,
  vmHashes: string[],
  stopped: AbortSignal,
): Promise<Map<string, string> | undefined> {
  try {
    const body = JSON.stringify({ vms: vmHashes.map((item_hash) => ({ item_hash })) })
    const signal = AbortSignal.any([stopped, AbortSignal.timeout(answerMs)])
    const { status, text } = await calls.post(url, prefix + migrationPaths.room, { body, signal })
    if (status !== 200) return undefined
    const { results } = answerSchema.parse(JSON.parse(text))
    return new Map(
      Object.entries(results).flatMap(([vmHash, { accepted, code }]) =>
        accepted || code === undefined ? [] : [[vmHash, code]],
      ),
    )
  } catch {
    return undefined
  }
}

/**
 * Asks our compute nodes, those that answer such questions, about what a plan brings them.
 *
 * @param nodes our compute nodes
 * @returns whether any of it was refused, which is noted: another plan is due then
 */
export async function isRefused(
  { changes, assignments, reports }: Pick<Plan, 'changes' | 'assignments' | 'reports'>,
  nodes: readonly ComputeNode[],
  { calls, refusals, stopped }: { calls: ComputeNodeCalls; refusals: Refusals; stopped: AbortSignal },
): Promise<boolean> {
  const fresh = [...changes.keys()]
    .flatMap((vmHash) => assignments.get(vmHash) ?? [])
    .filter(({ workload }) => workload.requirements.uses.isResident)
  const offers = Map.groupBy(fresh, ({ computeNode }) => computeNode)
  const answers = nodes
    .filter(({ hash }) => offers.has(hash) && (reports.get(hash)?.api.allocations ?? 1) >= 2)
    .map(async ({ hash, address }) => {
      const vmHashes = offers.get(hash)!.map(({ workload }) => workload.hash)
      const codes = await askForRefusals(calls, { url: address }, vmHashes, stopped)
      return [...(codes ?? [])].map(([vmHash, code]) => refusals.add(vmHash, hash, code)).includes(true)
    })
  return (await Promise.all(answers)).includes(true)
}
