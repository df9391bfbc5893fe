import type { FastifyInstance } from 'fastify'
import type { TapNetwork } from '../../network/index.ts'
import { type SchedulerAuth, schedulerDoor, takeRawBodies } from '../allocations/scheduler-auth.ts'
import type { CustomDomains } from '../proxy/custom-domains.ts'
import type { VmHost } from '../vm-host.ts'

export interface AdminRoutesOptions {
  scheduler: SchedulerAuth
  /** Null: instances have networks of their hypervisor's making, and there is nothing to make anew. */
  network: TapNetwork | null
  customDomains: CustomDomains
  vms: VmHost
}

/** What a scheduler may put right on a node (protocol 05 §8.6). */
export async function adminRoutes(app: FastifyInstance, options: AdminRoutesOptions): Promise<void> {
  const { scheduler, network, customDomains, vms } = options
  takeRawBodies(app, schedulerDoor.maxBytes)
  const onRequest = scheduler.through(schedulerDoor)

  app.post('/control/network/recreate', { onRequest }, async (request, reply) => {
    await scheduler.body(request)
    const hashes = new Map(vms.list().flatMap(({ id, link }) => (link ? [[link.tap, id]] : [])))
    const hashOf = (tap: string) => hashes.get(tap) ?? tap
    try {
      const { recreated, failed } = (await network?.recreate()) ?? { recreated: [], failed: new Map() }
      for (const [tap, error] of failed) request.log.error({ err: error, tap }, 'a link was not made anew')
      return reply.code(failed.size === 0 ? 200 : 207).send({
        success: failed.size === 0,
        // One table holds all rules and replaces the former at once: there are no chains to remove.
        removed_chains_count: 0,
        removed_chains: [],
        recreated_count: recreated.length,
        failed_count: failed.size,
        recreated_vms: recreated.map(hashOf),
        failed_vms: [...failed.keys()].map(hashOf),
      })
    } catch (error) {
      request.log.error({ err: error }, 'the network was not made anew')
      return reply.code(500).send({ success: false, error: (error as Error).message })
    }
  })

  app.post('/control/proxy/regenerate', { onRequest }, async (request) => {
    await scheduler.body(request)
    customDomains.forgetAll()
    return { success: true, message: 'Domains are looked up anew' }
  })
}
