import { z } from 'zod'
import type { ClientContext } from '../client/client-context.ts'
import { parseAnswer } from '../http/parse-answer.ts'
import { requestJson } from '../http/request.ts'

const explanationSchema = z.looseObject({
  allocated_node: z.string().nullable(),
  nodes: z.array(
    z.looseObject({
      node_hash: z.string(),
      core_node: z.string().nullable().default(null),
      reason: z.string().nullable(),
    }),
  ),
})

/** Where a VM is, and what each compute node that does not take it lacks (reasons of protocol 06 §8.3). */
export interface PlacementExplanation {
  allocatedNode: string | null
  /** `coreNode`: the core node it is linked to. */
  nodes: { nodeHash: string; coreNode: string | null; reason: string | null }[]
}

/** Why a VM is where it is, or nowhere. Core nodes of the production network do not tell. */
export async function explainPlacement(
  context: ClientContext,
  vmHash: string,
  options: { signal?: AbortSignal } = {},
): Promise<PlacementExplanation> {
  const path = `/scheduler/api/v1/vms/${encodeURIComponent(vmHash)}/explanation`
  const answer = parseAnswer(explanationSchema, await requestJson(context.scheduler, path, options))
  return {
    allocatedNode: answer.allocated_node,
    nodes: answer.nodes.map(({ node_hash: nodeHash, core_node: coreNode, reason }) => ({
      nodeHash,
      coreNode,
      reason,
    })),
  }
}

/** The reasons in a few words, the most frequent first: `confidential (3 nodes), memory (1 node)`; empty: none. */
export function summariseReasons({ nodes }: PlacementExplanation): string {
  const counts = new Map<string, number>()
  for (const { reason } of nodes) if (reason !== null) counts.set(reason, (counts.get(reason) ?? 0) + 1)
  const sorted = [...counts].sort(([, a], [, b]) => b - a)
  return sorted.map(([reason, count]) => `${reason} (${count} ${count === 1 ? 'node' : 'nodes'})`).join(', ')
}
