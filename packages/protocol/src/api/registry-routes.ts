import { z } from 'zod'
import { computeNodeSchema, coreNodeSchema } from '../aggregates/corechannel.ts'
import { registryActions } from '../registry/registry-event.ts'
import { integerField, textField } from './query-fields.ts'
import { defineRoute } from './route.ts'

const tag = 'Registry'
const source = z.enum(['computed', 'published'])

const ignoredPost = z.object({
  item_hash: z.string(),
  address: z.string(),
  action: z.string().nullable(),
  ref: z.string().nullable(),
  time: z.number(),
  height: z.number().nullable(),
  reason: z.string(),
  detail: z.string(),
})

const ignoredExample = {
  item_hash: '5f1c…',
  address: '0x21…',
  action: 'link',
  ref: '9b2a…',
  time: 1_700_000_000,
  height: 24_000_000,
  reason: 'owns_no_core_node',
  detail: '0x21… owns no core node',
}

const operationSchema = z.object({
  /** Who would act. */
  address: z.string().min(1).max(128),
  action: z.enum(registryActions),
  ref: z.string().max(128).nullable().default(null),
  details: z.record(z.string(), z.unknown()).default({}),
})

export const registryApiRoutes = {
  checkNodeOperation: defineRoute({
    method: 'POST',
    path: '/api/v1/nodes/check',
    tag,
    summary: 'What would become of an operation if it were published now; nothing is changed',
    body: operationSchema,
    answer: z.object({ allowed: z.boolean(), reason: z.string().nullable(), detail: z.string().nullable() }),
    example: {
      allowed: false,
      reason: 'balance_too_low',
      detail: '0x21… keeps less than 1000 ALEPH',
    },
  }),
  listNodes: defineRoute({
    method: 'GET',
    path: '/api/v1/nodes',
    tag,
    summary: 'The registry of nodes: core nodes and compute nodes with owners, links, stakes and scores',
    description:
      'Filters are combined; `q` finds a part of a name, an address or a hash. The answer has an `ETag`: send it as ' +
      '`If-None-Match`, and an unchanged registry costs nothing. `source` says whether this node computed it itself or ' +
      'goes by what the network publishes.',
    query: z.object({
      type: z.enum(['core', 'compute']).optional(),
      status: textField.optional(),
      owner: textField.optional(),
      q: textField.optional(),
    }),
    answer: z.object({
      source,
      height: z.number().nullable(),
      digest: z.string(),
      nodes: z.array(coreNodeSchema),
      resource_nodes: z.array(computeNodeSchema),
    }),
    statuses: { 304: 'Nothing changed since the tag that was given.' },
  }),
  listIgnoredPosts: defineRoute({
    method: 'GET',
    path: '/api/v1/nodes/ignored',
    tag,
    summary: 'Posts to the registry that have no effect, newest first, each with its reason',
    query: z.object({
      address: textField.optional(),
      reason: textField.optional(),
      node: textField.optional().meta({ description: 'Hash of the node they are about.' }),
      limit: integerField(1, 1000).default(100),
    }),
    answer: z.object({ ignored: z.array(ignoredPost), total: z.number() }),
    example: { ignored: [ignoredExample], total: 1 },
  }),
  listRegistryDifferences: defineRoute({
    method: 'GET',
    path: '/api/v1/nodes/differences',
    tag,
    summary: 'Where the published registry is another than the one this node computes',
    answer: z.object({
      publisher: z.string(),
      divergent: z.boolean(),
      differences: z.array(z.object({ hash: z.string(), fields: z.array(z.string()) })),
    }),
    example: { publisher: '0xa1…', divergent: false, differences: [] },
  }),
  explainScore: defineRoute({
    method: 'GET',
    path: '/api/v1/nodes/{hash}/score',
    tag,
    summary: 'Why a node has the score it has: what each observer found in the last period, and what counts',
    description:
      '`explained` says whether this node comes to the published score by itself, from the posts of the observers. ' +
      'Of each factor the measured seconds and its value from 0 to 1 are told.',
    answer: z.object({
      hash: z.string(),
      score: z.number(),
      period: z.object({ from: z.number(), to: z.number() }).nullable(),
      post: z.string().nullable(),
      explained: z.boolean(),
      computed: z
        .object({
          total_score: z.number(),
          performance: z.number(),
          version: z.number(),
          decentralization: z.number(),
          measurements: z.record(z.string(), z.number()),
        })
        .nullable(),
      observers: z.array(
        z.object({
          observer: z.string(),
          total: z.number(),
          version: z.number(),
          factors: z.array(
            z.object({
              name: z.string(),
              measured: z.number().nullable(),
              worst: z.number(),
              value: z.number(),
            }),
          ),
        }),
      ),
    }),
  }),
  getNode: defineRoute({
    method: 'GET',
    path: '/api/v1/nodes/{hash}',
    tag,
    summary: 'One node, with the posts about it that had no effect',
    answer: z.object({
      type: z.enum(['core', 'compute']),
      source,
      node: z.union([coreNodeSchema, computeNodeSchema]),
      ignored: z.array(ignoredPost),
    }),
  }),
}
