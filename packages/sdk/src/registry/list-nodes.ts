import {
  addressKey,
  type ComputeNode,
  type CoreNode,
  computeNodeSchema,
  corechannelSchema,
  coreNodeSchema,
  mainnetProfile,
} from '@aleph-ts/protocol'
import { z } from 'zod'
import { getAggregate } from '../aggregate/get-aggregate.ts'
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
  /** sha256 over all of it: nodes that agree have the same; null where a node does not tell. */
  digest: string | null
  coreNodes: CoreNode[]
  computeNodes: ComputeNode[]
}

const answerSchema = z.looseObject({
  source: z.enum(['computed', 'published']),
  digest: z.string(),
  nodes: z.array(coreNodeSchema),
  resource_nodes: z.array(computeNodeSchema),
})

/**
 * Core and compute nodes of the network (protocol 06 §2.7). From nodes that do not serve the registry, the aggregate
 * that the production network publishes.
 */
export async function listNodes(
  context: ClientContext,
  filter: NodeFilter & { signal?: AbortSignal } = {},
): Promise<NodeList> {
  const { signal, type, status, owner, q } = filter
  const abortable = signal ? { signal } : {}
  const answer = await requestJson(context.core, '/api/v1/nodes', {
    query: { type, status, owner, q },
    accept: [404],
    ...abortable,
  })
  if (answer.status === 404) return listPublishedNodes(context, filter, abortable)
  const { source, digest, nodes, resource_nodes } = parseAnswer(answerSchema, answer)
  return { source, digest, coreNodes: nodes, computeNodes: resource_nodes }
}

async function listPublishedNodes(
  context: ClientContext,
  filter: NodeFilter,
  options: { signal?: AbortSignal },
): Promise<NodeList> {
  const { corechannel } = mainnetProfile.addresses
  const content = (await getAggregate(context, corechannel, 'corechannel', options)) ?? {}
  const { nodes, resource_nodes } = parseAnswer(corechannelSchema, {
    status: 200,
    url: `aggregate corechannel of ${corechannel}`,
    body: content,
  })
  const isWanted = wanted(filter)
  return {
    source: 'published',
    digest: null,
    coreNodes: filter.type === 'compute' ? [] : nodes.filter(isWanted),
    computeNodes: filter.type === 'core' ? [] : resource_nodes.filter(isWanted),
  }
}

function wanted({ status, owner, q }: NodeFilter): (node: CoreNode | ComputeNode) => boolean {
  const key = owner && addressKey('ETH', owner)
  const part = q?.toLowerCase()
  return (node) =>
    (!status || node.status === status) &&
    (!key || addressKey('ETH', node.owner) === key) &&
    (!part ||
      [node.name, node.address, node.hash, node.owner].some((text) => text.toLowerCase().includes(part)))
}
