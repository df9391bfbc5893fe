import { z } from 'zod'

/** Owners may write null where they have nothing to say. */
const text = z
  .string()
  .nullable()
  .default('')
  .transform((value) => value ?? '')
const score = z.number().default(0)

/** Fields that core and compute nodes share in the registry. Unknown keys are kept. */
const nodeFields = {
  hash: z.string(),
  owner: z.string(),
  name: text,
  /** Base URL of the node's HTTP API; many core nodes leave it empty. */
  address: text,
  /** Liveness and speed, 0 to 1. */
  score,
  performance: score,
  decentralization: score,
  time: z.number().default(0),
  manager: text,
  reward: text,
  stream_reward: text,
  terms_and_conditions: text,
  inactive_since: z.number().nullable().default(null),
}

export const coreNodeSchema = z.looseObject({
  ...nodeFields,
  multiaddress: text,
  /** `active` once enough is staked on it, else `waiting`. */
  status: z.string(),
  /** Hashes of the compute nodes linked to it. */
  resource_nodes: z.array(z.string()).default([]),
  total_staked: z.number().default(0),
  /** ALEPH by staker. */
  stakers: z.record(z.string(), z.number()).default({}),
  has_bonus: z.boolean().default(false),
})

export const computeNodeSchema = z.looseObject({
  ...nodeFields,
  /** `linked` when it has a parent, else `waiting`. */
  status: z.string(),
  /** Hash of the core node it is linked to. */
  parent: z.string().nullable().default(null),
})

/** Content of the `corechannel` aggregate: the registry of nodes (protocol 06 §2.7). */
export const corechannelSchema = z.looseObject({
  nodes: z.array(coreNodeSchema).default([]),
  resource_nodes: z.array(computeNodeSchema).default([]),
})

export type CoreNode = z.output<typeof coreNodeSchema>
export type ComputeNode = z.output<typeof computeNodeSchema>
export type CorechannelAggregate = z.output<typeof corechannelSchema>
