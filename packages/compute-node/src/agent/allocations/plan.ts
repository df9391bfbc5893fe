import { readFile } from 'node:fs/promises'
import { classifyHash } from '@aleph-ts/protocol'
import { z } from 'zod'
import { writeFileAtomically } from './state-file.ts'

const MAX_VMS = 10_000
const hashes = z
  .array(z.string().refine((hash) => classifyHash(hash) !== null, 'not an item hash'))
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

export const emptyPlan: Plan = { persistent_vms: [], instances: [], on_demand_vms: [] }

/** The last plan accepted, so that a restarted node goes on with it. */
export class PlanFile {
  readonly #path: string

  constructor(path: string) {
    this.#path = path
  }

  /** The stored plan; null when there is none. Throws when the file is damaged. */
  async read(): Promise<Plan | null> {
    const text = await readFile(this.#path, 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return null
      throw error
    })
    return text === null ? null : planSchema.parse(JSON.parse(text))
  }

  async write(plan: Plan): Promise<void> {
    await writeFileAtomically(this.#path, JSON.stringify(plan))
  }
}
