import { z } from 'zod'
import { laxInteger, optional } from './scalars.ts'

/** Published ports, memory in MiB, longest run of an on-demand program in seconds (protocol 01 §6.9). */
export const resourcesSchema = z.object({
  vcpus: laxInteger(1, 256).default(1),
  memory: laxInteger(1, 1_048_576).default(128),
  seconds: laxInteger(1, 315_360_000).default(1),
  published_ports: optional(
    z
      .array(z.object({ protocol: z.enum(['tcp', 'udp']).default('tcp'), port: laxInteger(1, 65535) }))
      .max(1024),
  ),
})

/** As above for V-PROGRAM, which takes no lax forms. */
export const strictResourcesSchema = z.object({
  vcpus: z.int().min(1).max(256).default(1),
  memory: z.int().min(1).max(1_048_576).default(128),
  seconds: z.int().min(1).max(315_360_000).default(1),
  published_ports: optional(
    z
      .array(z.object({ protocol: z.enum(['tcp', 'udp']).default('tcp'), port: z.int().min(1).max(65535) }))
      .max(1024),
  ),
})
export type Resources = z.output<typeof resourcesSchema>
