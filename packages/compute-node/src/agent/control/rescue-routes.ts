import { classifyHash } from '@aleph-ts/protocol'
import type { FastifyInstance } from 'fastify'
import { AgentError } from '../errors.ts'
import type { Rescues } from '../instances/rescues.ts'
import type { VmHost } from '../vm-host.ts'
import { assertOwner, type OwnerAccessOptions } from './owner-access.ts'

export interface RescueRoutesOptions extends OwnerAccessOptions {
  vms: VmHost
  rescues: Rescues
}

interface RescueRequest {
  Params: { ref: string }
  Querystring: { item_hash?: string }
}

/** How an owner mends a system that does not boot any more (protocol 05 §20). */
export async function rescueRoutes(app: FastifyInstance, options: RescueRoutesOptions): Promise<void> {
  const { rescues, vms } = options
  const path = '/control/machine/:ref/rescue'

  app.post<RescueRequest>(path, async (request, reply) => {
    const { ref } = request.params
    await assertOwner(request, ref, options)
    if (vms.get(ref)?.type !== 'instance') throw invalid('Only instances can be rescued')
    const image = request.query.item_hash ?? null
    if (image !== null && classifyHash(image) === null) throw invalid('item_hash: not an item hash')
    await rescues.enter(ref, image)
    return reply.code(202).send({ status: 'in_progress' })
  })

  app.get<RescueRequest>(path, async (request, reply) => {
    const { ref } = request.params
    await assertOwner(request, ref, options)
    const rescue = await rescues.stateOf(ref)
    switch (rescue.state) {
      case 'entering':
        return reply.code(202).send({ status: 'in_progress' })
      case 'rescue':
        return { status: 'rescue', message: 'The rescue system runs; the root disk is /dev/vdb' }
      case 'failed':
        return reply.code(500).send({ status: 'failed', error: rescue.reason })
      case 'normal':
        throw new AgentError('not_found', 'The instance is not in rescue mode')
    }
  })

  app.delete<RescueRequest>(path, async (request) => {
    const { ref } = request.params
    await assertOwner(request, ref, options)
    await rescues.leave(ref)
    return { status: 'normal', message: 'The instance starts from its own disk' }
  })
}

function invalid(message: string): AgentError {
  return new AgentError('invalid_request', message)
}
