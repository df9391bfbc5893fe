import { z } from 'zod'
import { chainCodes } from '../message/chains.ts'
import { messageTypes } from '../message/envelope.ts'

/** Content of a `port-forwarding` aggregate: VM hash → guest ports to open, null when withdrawn (protocol 06 §9.5). */
export const portForwardingSchema = z.record(
  z.string(),
  z
    .looseObject({
      ports: z.record(
        z.string().regex(/^\d{1,5}$/),
        z.looseObject({ tcp: z.boolean().default(false), udp: z.boolean().default(false) }),
      ),
    })
    .nullable(),
)
export type PortForwardingAggregate = z.output<typeof portForwardingSchema>

/** Content of a `domains` aggregate: host name → what it shows, null when removed (protocol 06 §9.4). */
export const domainsSchema = z.record(
  z.string(),
  z
    .looseObject({
      type: z.enum(['ipfs', 'program', 'instance']),
      programType: z.string().optional(),
      /** Item hash of the message; empty when detached. */
      message_id: z.string().default(''),
      updated_at: z.union([z.string(), z.number()]).optional(),
      options: z
        .looseObject({ catch_all_path: z.string().optional(), confidential: z.boolean().optional() })
        .nullish(),
    })
    .nullable(),
)
export type DomainsAggregate = z.output<typeof domainsSchema>

const authorizationSchema = z.looseObject({
  address: z.string(),
  chain: z.enum(chainCodes).nullish(),
  channels: z.array(z.string()).default([]),
  types: z.array(z.enum(messageTypes)).default([]),
  post_types: z.array(z.string()).default([]),
  aggregate_keys: z.array(z.string()).default([]),
})

/** Content of a `security` aggregate: who may act for its owner (protocol 01 §8.1). */
export const securitySchema = z.looseObject({ authorizations: z.array(authorizationSchema).default([]) })
export type Authorization = z.output<typeof authorizationSchema>
export type SecurityAggregate = z.output<typeof securitySchema>

const imageSchema = z.looseObject({
  hash: z.string(),
  display_name: z.string().optional(),
  description: z.string().optional(),
  min_disk_mib: z.number().optional(),
  /** Hidden from lists, still usable by name. */
  deprecated: z.boolean().default(false),
})
const images = z.record(z.string(), imageSchema.nullable()).default({})

/** Content of the `vm-images` aggregate: names of published images (protocol 06 §9.3). */
export const vmImagesSchema = z.looseObject({
  rootfs: images,
  runtimes: images,
  firmwares: images,
  defaults: z
    .looseObject({
      rootfs: z.string().optional(),
      firmware: z.string().optional(),
      runtime: z.string().optional(),
    })
    .default({}),
})
export type VmImagesAggregate = z.output<typeof vmImagesSchema>
