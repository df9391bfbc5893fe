import { z } from 'zod'
import { messageFilterFields } from './message-routes.ts'
import { sortOrderField, textField } from './query-fields.ts'
import { defineRoute } from './route.ts'

const tag = 'Node'
const versionAnswer = z.looseObject({ version: z.string(), name: z.string().optional() })

const metricsQuery = z.object({
  startDate: z.coerce.number().min(0).max(1e12).default(0),
  endDate: z.coerce.number().min(0).max(1e12).default(0),
  sort: z
    .string()
    .toUpperCase()
    .pipe(z.enum(['ASC', 'DESC', 'ASCENDING', 'DESCENDING', '1', '-1']))
    .default('ASC'),
})
const metricsAnswer = z.looseObject({ metrics: z.record(z.string(), z.array(z.unknown())) })
const metricsExample = { metrics: { item_hash: ['56c8…'], measured_at: [1672531200], base_latency: [0.1] } }

/** What can be followed live. */
export const eventTopics = ['message', 'post', 'aggregate', 'allocation'] as const

export const nodeApiRoutes = {
  getVersion: defineRoute({
    method: 'GET',
    path: '/api/v0/version',
    aliases: ['/version'],
    tag,
    summary: 'Version of the node',
    answer: versionAnswer,
    example: { version: '0.1.0', name: 'aleph-ts core node' },
  }),
  getNodeInfo: defineRoute({
    method: 'GET',
    path: '/api/v0/info/public.json',
    tag,
    summary: 'Where other nodes reach this one',
    answer: z.looseObject({ node_multi_addresses: z.array(z.string()) }),
    example: { node_multi_addresses: ['/ip4/203.0.113.7/tcp/4025/p2p/Qm…'] },
  }),
  getStateDigest: defineRoute({
    method: 'GET',
    path: '/api/v1/state/digest',
    tag,
    summary:
      'sha256 over the whole state and over each of its tables, to compare nodes; for callers on its own machine',
    answer: z.object({ digest: z.string(), tables: z.record(z.string(), z.string()) }),
    example: { digest: '9f86…', tables: { messages: '60303ae2…' } },
  }),
  listChannels: defineRoute({
    method: 'GET',
    path: '/api/v0/channels/list.json',
    tag,
    summary: 'Every channel in use',
    answer: z.looseObject({ channels: z.array(z.string()) }),
    example: { channels: ['TEST'] },
  }),
  getMetricsText: defineRoute({
    method: 'GET',
    path: '/metrics',
    tag,
    summary: 'Metrics, for Prometheus',
    answer: { raw: 'text/plain', description: 'Prometheus text format' },
  }),
  getMetrics: defineRoute({
    method: 'GET',
    path: '/metrics.json',
    aliases: ['/api/v0/metrics.json'],
    tag,
    summary: 'Metrics that scoring reads',
    answer: z.looseObject({ pyaleph_build_info: z.looseObject({ version: z.string() }) }),
    example: { pyaleph_build_info: { python_version: 'v24', version: '0.1.0' } },
  }),
  watchStatus: defineRoute({
    method: 'GET',
    path: '/api/ws0/status',
    tag,
    summary: 'WebSocket: the metrics, whenever they change',
    answer: { raw: 'application/json', description: 'Frames of a WebSocket' },
    statuses: { 101: 'The feed begins.', 426: 'It was not asked for as a WebSocket.' },
  }),
  getCoreNodeMetrics: defineRoute({
    method: 'GET',
    path: '/api/v0/core/{node_id}/metrics',
    tag,
    summary: 'Measurements of a core node over time',
    query: metricsQuery,
    snakeCaseQuery: true,
    answer: metricsAnswer,
    example: metricsExample,
  }),
  getComputeNodeMetrics: defineRoute({
    method: 'GET',
    path: '/api/v0/compute/{node_id}/metrics',
    tag,
    summary: 'Measurements of a compute node over time',
    query: metricsQuery,
    snakeCaseQuery: true,
    answer: metricsAnswer,
    example: metricsExample,
  }),
  listMessagePrograms: defineRoute({
    method: 'GET',
    path: '/api/v0/programs/on/message',
    tag,
    summary: 'Programs that wait for messages',
    query: z.object({ sortOrder: sortOrderField }),
    snakeCaseQuery: true,
    answer: z.array(z.looseObject({ item_hash: z.string(), content: z.looseObject({}) })),
    example: [{ item_hash: 'abab…', content: { on: { message: [{ sender: '0xabc' }] } } }],
  }),
  followEvents: defineRoute({
    method: 'GET',
    path: '/api/v1/events',
    tag: 'Events',
    summary: 'Server-sent events: messages, posts, aggregates and places of VMs, as they change',
    description:
      'Events of messages carry an id; a client that comes back with `Last-Event-ID` (or `lastEventId`) misses nothing. ' +
      "`address` keeps the owner's own; the filters of messages work as in the list. An `allocation` event says where a " +
      'VM runs, `node: null` when nowhere; its first ones are the places of now.',
    query: z.object({
      ...messageFilterFields,
      topics: z
        .string()
        .transform((text) => text.split(','))
        .pipe(z.array(z.enum(eventTopics)).max(eventTopics.length))
        .default(['message'])
        .meta({ description: `Of: ${eventTopics.join(', ')}.` }),
      address: textField.optional(),
      lastEventId: z
        .string()
        .regex(/^\d{1,18}$/, { error: 'must be the id of an event of this node' })
        .optional(),
    }),
    answer: {
      raw: 'text/event-stream',
      description: 'Events with the names of their topics and JSON as data',
    },
  }),
  getAllocation: defineRoute({
    method: 'GET',
    path: '/api/v0/allocation/{vm_hash}',
    aliases: ['/scheduler/api/v0/allocation/{vm_hash}'],
    tag: 'Placement',
    summary: 'Where a VM runs',
    answer: z.looseObject({
      vm_hash: z.string(),
      vm_type: z.string(),
      node: z.looseObject({ node_id: z.string(), url: z.string() }),
    }),
    statuses: { 404: 'No node is assigned to run it; `reasons` may say why.' },
  }),
  getPlan: defineRoute({
    method: 'GET',
    path: '/api/v0/plan',
    aliases: ['/scheduler/api/v0/plan'],
    tag: 'Placement',
    summary: 'What every compute node has to run',
    answer: z.looseObject({
      plan: z.record(
        z.string(),
        z.object({
          persistent_vms: z.array(z.string()),
          instances: z.array(z.string()),
          on_demand_vms: z.array(z.string()),
          jobs: z.array(z.string()),
          v_programs: z.array(z.string()),
        }),
      ),
    }),
  }),
  listComputeNodes: defineRoute({
    method: 'GET',
    path: '/api/v0/nodes',
    aliases: ['/scheduler/api/v0/nodes'],
    tag: 'Placement',
    summary: 'Compute nodes that take VMs',
    answer: z.looseObject({ nodes: z.array(z.looseObject({ node_id: z.string(), url: z.string() })) }),
  }),
  resolveDid: defineRoute({
    method: 'GET',
    path: '/api/v1/did/{did}',
    tag: 'Identity',
    summary: 'The DID document of an account',
    answer: z.looseObject({}),
  }),
}
