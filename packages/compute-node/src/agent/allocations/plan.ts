import { readFile } from 'node:fs/promises'
import { classifyHash } from '@aleph-ts/protocol'
import { z } from 'zod'
import { writeFileAtomically } from './state-file.ts'

const MAX_VMS = 10_000
const hash = z.string().refine((text) => classifyHash(text) !== null, 'not an item hash')
const hashes = z
  .array(hash)
  .max(MAX_VMS)
  .nullish()
  .transform((list) => [...new Set(list ?? [])])

/** Body of `POST /control/allocations`: everything the network wants of this node (protocol 05 §9.1, 06 §7.4). */
export const planSchema = z.object({
  persistent_vms: hashes,
  instances: hashes,
  /** Programs started by their first call; this node fetches them ahead. */
  on_demand_vms: hashes,
})
export type Plan = z.output<typeof planSchema>

/** Body of `POST /v2/control/allocations`: a total plan, with messages at the sender's will (protocol 05 §20). */
export const planV2Schema = z.object({
  vms: z.array(z.object({ item_hash: hash, message: z.unknown().optional() })).max(MAX_VMS),
})
export type PlanV2 = z.output<typeof planV2Schema>

/** How a VM that came by `notify` is paid. */
export const notifiedPayments = ['hold', 'superfluid', 'credit'] as const
export type NotifiedPayment = (typeof notifiedPayments)[number]

const storedSchema = planSchema.extend({
  /** VMs of a version 2 plan, of any type. */
  vms: hashes,
  /** Which protocol the last plan came by; a version 2 plan is not undone by a version 1 push. */
  governedBy: z.enum(['v1', 'v2']).nullish().default(null),
  /** VMs whose owner asked for them here, which no plan names. */
  notified: z.record(z.string(), z.enum(notifiedPayments)).default({}),
  /** VMs their owner stopped: left alone until they are asked for again. */
  released: hashes,
  /** VMs this node ended, and why; the newest last. */
  ended: z.record(z.string(), z.object({ code: z.string(), message: z.string() })).default({}),
})

/** Everything that should run here, as it is kept on disk. */
export type DesiredState = z.output<typeof storedSchema>

export const emptyPlan: DesiredState = storedSchema.parse({})

/** Every VM that should run all the time. */
export function wantedVms(state: DesiredState): Set<string> {
  const { persistent_vms, instances, vms, notified, released } = state
  const wanted = new Set([...persistent_vms, ...instances, ...vms, ...Object.keys(notified)])
  for (const hash of released) wanted.delete(hash)
  return wanted
}

/** What was wanted last, so that a restarted node goes on with it. */
export class PlanFile {
  readonly #path: string

  constructor(path: string) {
    this.#path = path
  }

  /** The stored state; null when there is none. Throws when the file is damaged. */
  async read(): Promise<DesiredState | null> {
    const text = await readFile(this.#path, 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return null
      throw error
    })
    return text === null ? null : storedSchema.parse(JSON.parse(text))
  }

  async write(state: DesiredState): Promise<void> {
    await writeFileAtomically(this.#path, JSON.stringify(state))
  }
}
