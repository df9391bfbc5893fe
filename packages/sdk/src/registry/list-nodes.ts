import type { ComputeNode, CoreNode } from '@aleph-ts/protocol'
import { computeNodeSchema, coreNodeSchema } from '@aleph-ts/protocol'
import { z } from 'zod'
import type { ClientContext } from '../client/client-context.ts'
import { parseAnswer } from '../http/parse-answer.ts'
import { requestJson } from '../http/request.ts'

export interface NodeFilter {
  type?: 'core' | 'compute'
  status?: string
  owner?: string
  /** A part of a name, an address or a hash. */
  q?: string
}

/** The registry of nodes as one core node sees it. */
export interface NodeList {
  /** Whether that node computed it itself, or goes by what the network publishes. */
  source: 'computed' | 'published'
  /** sha256 over all of it: nodes that agree have the same. */
  digest: string
  coreNodes: CoreNode[]
  computeNodes: ComputeNode[]
}

const answerSchema = z.looseObject({
  source: z.enum(['computed', 'published']),
  digest: z.string(),
  nodes: z.array(coreNodeSchema),
  resource_nodes: z.array(computeNodeSchema),
})

/** Core and compute nodes of the network (protocol 06 §2.7). */
export async function listNodes(
  context: ClientContext,
  filter: NodeFilter & { signal?: AbortSignal } = {},
): Promise<NodeList> {
  const { signal, type, status, owner, q } = filter
  const answer = await requestJson(context.core, '/api/v1/nodes', {
    query: { type, status, owner, q },
    ...(signal ? { signal } : {}),
  })
  const { source, digest, nodes, resource_nodes } = parseAnswer(answerSchema, answer)
  return { source, digest, coreNodes: nodes, computeNodes: resource_nodes }
}
