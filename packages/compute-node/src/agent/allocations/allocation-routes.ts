import type { FastifyInstance, FastifyReply } from 'fastify'
import { z } from 'zod'
import { AgentError } from '../errors.ts'
import { planSchema, planV2Schema } from './plan.ts'
import type { PlanAssessment } from './plan-assessment.ts'
import type { Reconciler } from './reconciler.ts'
import {
  parseJsonBody,
  planV2Door,
  type SchedulerAuth,
  schedulerDoor,
  takeRawBodies,
} from './scheduler-auth.ts'

export interface AllocationRoutesOptions {
  scheduler: SchedulerAuth
  reconciler: Reconciler
  assessment: PlanAssessment
  /** Longest wait for starts before the answer, milliseconds. */
  waitMs: number
}

const V2_PATH = '/v2/control/allocations'

/** What schedulers tell the node, signed (protocol 05 §4.4): plans of both versions, and admin requests. */
export async function allocationRoutes(
  app: FastifyInstance,
  options: AllocationRoutesOptions,
): Promise<void> {
  const { scheduler, reconciler, assessment } = options
  takeRawBodies(app, planV2Door.maxBytes)
  const v2 = { onRequest: scheduler.through(planV2Door) }

  app.post(
    '/control/allocations',
    { onRequest: scheduler.through(schedulerDoor) },
    async (request, reply) => {
      const body = await scheduler.body(request)
      if (reconciler.governedBy === 'v2') return refuseV1(reply)
      const plan = planSchema.safeParse(parseJsonBody(body))
      if (!plan.success) throw invalidPlan(plan.error)
      const outcome = await reconciler.apply(plan.data, options.waitMs)
      const { successful, failing } = outcome
      const status = failing.length === 0 ? 200 : successful.length === 0 ? 503 : 207
      return reply.code(status).send({ success: failing.length === 0, ...outcome })
    },
  )

  app.post(V2_PATH, v2, async (request, reply) => {
    const plan = planV2Schema.safeParse(parseJsonBody(await scheduler.body(request)))
    if (!plan.success) throw invalidPlan(plan.error)
    return reply.code(202).send(await assessment.apply(plan.data))
  })

  app.post('/v2/control/capacity/check', v2, async (request) => {
    const plan = planV2Schema.safeParse(parseJsonBody(await scheduler.body(request)))
    if (!plan.success) throw invalidPlan(plan.error)
    return assessment.check(plan.data)
  })
}

/** After a version 2 plan, an older scheduler must not undo it (protocol 05 §20). */
function refuseV1(reply: FastifyReply): FastifyReply {
  return reply.code(409).send({
    success: false,
    code: 'governed_by_v2_plan',
    message: 'This node follows a version 2 plan; send plans there',
    endpoint: V2_PATH,
  })
}

function invalidPlan(error: z.ZodError): AgentError {
  return new AgentError('invalid_request', `Body is no allocation: ${z.prettifyError(error)}`)
}
