import { allocationAuthLimits } from '@aleph-ts/protocol'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { z } from 'zod'
import { AgentError } from '../errors.ts'
import { planSchema, planV2Schema } from './plan.ts'
import type { PlanAssessment } from './plan-assessment.ts'
import type { Reconciler } from './reconciler.ts'
import {
  assertBoundedBody,
  authenticateScheduler,
  parseJsonBody,
  type SchedulerAuthOptions,
  takeRawBodies,
} from './scheduler-auth.ts'

export interface AllocationRoutesOptions extends SchedulerAuthOptions {
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
  const { reconciler, assessment } = options
  takeRawBodies(app, allocationAuthLimits.bodyBytes)
  const onRequest = async (request: FastifyRequest) =>
    assertBoundedBody(request, allocationAuthLimits.bodyBytes)

  app.post('/control/allocations', { onRequest }, async (request, reply) => {
    const body = await authenticateScheduler(request, options)
    if (reconciler.governedBy === 'v2') return refuseV1(reply)
    const plan = planSchema.safeParse(parseJsonBody(body))
    if (!plan.success) throw invalidPlan(plan.error)
    const outcome = await reconciler.apply(plan.data, options.waitMs)
    const { successful, failing } = outcome
    const status = failing.length === 0 ? 200 : successful.length === 0 ? 503 : 207
    return reply.code(status).send({ success: failing.length === 0, ...outcome })
  })

  app.post(V2_PATH, { onRequest }, async (request, reply) => {
    const plan = planV2Schema.safeParse(parseJsonBody(await authenticateScheduler(request, options)))
    if (!plan.success) throw invalidPlan(plan.error)
    return reply.code(202).send(await assessment.apply(plan.data))
  })

  app.post('/v2/control/capacity/check', { onRequest }, async (request) => {
    const plan = planV2Schema.safeParse(parseJsonBody(await authenticateScheduler(request, options)))
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
