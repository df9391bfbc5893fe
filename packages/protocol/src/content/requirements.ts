import { z } from 'zod'
import { indexedText, itemHashText, optional } from './scalars.ts'

const cpuSchema = z.strictObject({
  architecture: optional(z.enum(['x86_64', 'arm64'])),
  vendor: optional(z.string().max(128)),
  features: optional(z.array(z.string().max(128)).max(256)),
})

const nodeSchema = z.strictObject({
  owner: optional(indexedText),
  address_regex: optional(
    z.string().max(256).refine(isRegularExpression, { error: 'not a regular expression' }),
  ),
  node_hash: optional(itemHashText),
  terms_and_conditions: optional(itemHashText),
})

const gpuSchema = z.strictObject({
  vendor: z.string().max(128),
  device_name: z.string().max(256),
  device_class: z.enum(['0300', '0302']),
  device_id: z.string().max(64),
})

/** Where a VM may run (protocol 01 §6.10). */
export const requirementsSchema = z.strictObject({
  cpu: optional(cpuSchema),
  node: optional(nodeSchema),
  gpu: optional(z.array(gpuSchema).max(64)),
})
export type Requirements = z.output<typeof requirementsSchema>

/** Only compiled, never run here: the network writes Python's syntax, whose named groups differ. */
function isRegularExpression(source: string): boolean {
  try {
    new RegExp(source.replaceAll('(?P<', '(?<'))
    return true
  } catch {
    return false
  }
}
