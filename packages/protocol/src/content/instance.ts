import { z } from 'zod'
import { environmentSchema } from './environment.ts'
import { executableFields } from './executable.ts'
import { maxDiskMib, parentSchema, persistenceSchema } from './volumes.ts'

const rootfsSchema = z.object({
  parent: parentSchema,
  persistence: persistenceSchema,
  size_mib: z.int().min(1).max(maxDiskMib),
})

const shape = z.strictObject({ ...executableFields, rootfs: rootfsSchema, environment: environmentSchema })

/** Content of an INSTANCE (protocol 01 §6.7). */
export const instanceSchema = shape.superRefine((instance, context) => {
  const { requirements } = instance
  if (requirements === null) return
  const pinned = Boolean(requirements.node?.node_hash)
  const paidPerNode = instance.payment?.type === 'superfluid' || instance.payment?.type === 'credit'
  const needNode = (reason: string) =>
    context.addIssue({ code: 'custom', path: ['requirements', 'node', 'node_hash'], message: reason })

  if (paidPerNode && !pinned) needNode(`required with payment ${instance.payment?.type} and requirements`)
  if (requirements.gpu?.length) {
    if (!pinned) needNode('required when a GPU is asked for')
    if (instance.environment.hypervisor !== 'qemu') {
      context.addIssue({
        code: 'custom',
        path: ['environment', 'hypervisor'],
        message: 'must be "qemu" when a GPU is asked for',
      })
    }
  }
  if (requirements.node?.terms_and_conditions) {
    if (!pinned) needNode('required when terms and conditions are accepted')
    if (!paidPerNode && instance.environment.trusted_execution === null) {
      context.addIssue({
        code: 'custom',
        path: ['requirements', 'node', 'terms_and_conditions'],
        message: 'only with payment superfluid or credit, or trusted_execution',
      })
    }
  }
})
export type InstanceContent = z.output<typeof instanceSchema>
