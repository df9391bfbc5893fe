import { z } from 'zod'
import { itemHashText, laxBoolean, optional } from './scalars.ts'

/** Largest disk: 2048 GB in MiB, rounded up (protocol 01 §1.4). */
export const maxDiskMib = 1_953_125
const maxEphemeralMib = 1000

const shortText = optional(z.string().max(256))
const labels = { comment: shortText, mount: shortText }

/** An existing STORE message to start a disk from. */
export const parentSchema = z.object({ ref: itemHashText, use_latest: laxBoolean.default(true) })

export const persistenceSchema = z.enum(['host', 'store'])

const immutableSchema = z.strictObject({
  kind: z.literal('immutable'),
  ref: itemHashText,
  use_latest: laxBoolean.default(true),
  ...labels,
})

const ephemeralSchema = z.strictObject({
  kind: z.literal('ephemeral'),
  ephemeral: z.literal(true).default(true),
  size_mib: z.int().min(1).max(maxEphemeralMib),
  ...labels,
})

const persistentSchema = z.strictObject({
  kind: z.literal('persistent'),
  size_mib: z.int().min(1).max(maxDiskMib),
  parent: optional(parentSchema),
  persistence: optional(persistenceSchema),
  name: shortText,
  ...labels,
})

type VolumeKind = 'immutable' | 'ephemeral' | 'persistent'

/**
 * A volume beside the root disk (protocol 01 §6.11). On the wire nothing says which of the three kinds it is; the
 * keys that are set decide, and parsing adds the answer as `kind`.
 */
export const volumeSchema = z.preprocess(
  (value) => (typeof value === 'object' && value !== null ? { ...value, kind: volumeKind(value) } : value),
  z.discriminatedUnion('kind', [immutableSchema, ephemeralSchema, persistentSchema]),
)
export type Volume = z.output<typeof volumeSchema>

/** Undefined when the sender wrote a `kind`, which is no key of the wire form. */
function volumeKind(volume: object): VolumeKind | undefined {
  if (Object.hasOwn(volume, 'kind')) return undefined
  if (Object.hasOwn(volume, 'ref')) return 'immutable'
  if (Object.hasOwn(volume, 'ephemeral')) return 'ephemeral'
  const onlyPersistent = ['name', 'persistence', 'parent'].some((key) => Object.hasOwn(volume, key))
  const size = (volume as { size_mib?: unknown }).size_mib
  return onlyPersistent || (typeof size === 'number' && size > maxEphemeralMib) ? 'persistent' : 'ephemeral'
}
