import { classifyHash, ProtocolError, parseContent } from '@aleph-ts/protocol'
import type { FastifyInstance, FastifyReply } from 'fastify'
import { z } from 'zod'
import type { Admission } from '../allocations/admission.ts'
import { executableContent } from '../allocations/plan-assessment.ts'
import type { Reconciler } from '../allocations/reconciler.ts'
import type { MessageSource } from '../core-nodes/message-source.ts'
import type { NodeIdentity } from '../core-nodes/node-identity.ts'
import { AgentError } from '../errors.ts'
import { type Gpus, reservationSeconds } from '../gpu/gpus.ts'
import type { Payments } from '../payment/payments.ts'
import { formatTime } from '../time-format.ts'
import type { VmHost } from '../vm-host.ts'
import { authenticateRequest, type RequestAuthOptions } from './owner-access.ts'

export interface NotifyRoutesOptions extends RequestAuthOptions {
  messages: MessageSource
  admission: Admission
  payments: Payments
  gpus: Gpus
  reconciler: Reconciler
  vms: VmHost
  identity: Pick<NodeIdentity, 'hash'>
  /** Re-reads what outside decides on a VM's network: forwarded ports. */
  refreshNetwork: (hash: string) => Promise<void>
  /** Longest wait for a start before the answer, milliseconds. */
  waitMs: number
}

/** Anybody may notify, and each asks core nodes: not more than this at once. */
const MAX_NOTIFIES = 16
/** Anybody may ask for a refresh: not more often than this per VM. */
const REFRESH_MS = 2_000
const MAX_REFRESHES = 1_000
const notifySchema = z.object({
  instance: z.string().refine((text) => classifyHash(text) !== null, 'not an item hash'),
})

/** How users of pay-as-you-go and credits start VMs on a node of their choice (protocol 05 §9.2–9.4). */
export async function notifyRoutes(app: FastifyInstance, options: NotifyRoutesOptions): Promise<void> {
  const refreshedAt = new Map<string, number>()
  let notifies = 0

  app.post('/control/allocation/notify', async (request, reply) => {
    if (typeof request.body !== 'object' || request.body === null) {
      throw new AgentError('invalid_request', 'Body is not valid JSON')
    }
    const body = notifySchema.safeParse(request.body)
    if (!body.success) return reply.code(400).send(JSON.stringify(validationErrors(body.error)))
    if (notifies >= MAX_NOTIFIES) {
      throw new AgentError('overloaded', 'Too many instances are asked for at once; try again shortly')
    }
    notifies++
    return notify(body.data.instance, reply, options).finally(() => notifies--)
  })

  app.post('/control/reserve_resources', async (request, reply) => {
    const sender = authenticateRequest(request, options)
    const content = parseInstance(request.body)
    const refusal = await options.admission.refusal(content)
    if (refusal !== null) {
      request.log.info({ reason: refusal }, 'reservation refused')
      throw new AgentError(
        'insufficient_capacity',
        'This CRN cannot reserve the requested resources at this time.',
      )
    }
    try {
      options.gpus.reserve(sender, content.requirements)
    } catch (error) {
      if (!(error instanceof AgentError && error.code === 'gpu_unavailable')) throw error
      const reason = error.message
      return reply.code(400).send({ status: 'error', error: 'Failed to reserves all resources', reason })
    }
    return { status: 'reserved', expires: formatTime(Date.now() / 1000 + reservationSeconds) }
  })

  // The second path is what the official Python client sends.
  for (const path of ['/control/machine/:ref/update', '/control/:ref/update']) {
    app.post<{ Params: { ref: string } }>(path, async ({ params: { ref } }) => {
      if (classifyHash(ref) === null) throw new AgentError('invalid_reference', `Invalid ref: '${ref}'`)
      const info = options.vms.get(ref)
      if (!info && options.reconciler.isPlanned(ref)) return { status: 'ok', msg: 'VM not starting yet' }
      if (!info) throw new AgentError('not_found', '404: VM not found')
      if (Date.now() - (refreshedAt.get(ref) ?? 0) < REFRESH_MS) return {}
      if (refreshedAt.size >= MAX_REFRESHES) refreshedAt.clear()
      refreshedAt.set(ref, Date.now())
      await options.refreshNetwork(ref)
      return {}
    })
  }
}

/** The checks of protocol 05 §9.2, in its order. */
async function notify(
  hash: string,
  reply: FastifyReply,
  options: NotifyRoutesOptions,
): Promise<FastifyReply> {
  const { messages, identity, reconciler, admission, payments } = options
  const message = await messages.get(hash)
  if (message.envelope.type !== 'INSTANCE') {
    throw new AgentError('invalid_request', '400: Message is not an instance')
  }
  const content = executableContent(hash, message)
  const wanted = content.requirements?.node?.node_hash
  if (wanted && identity.hash === null) {
    throw new AgentError(
      'insufficient_capacity',
      '503: Node hash not yet discovered, cannot accept targeted allocations',
    )
  }
  if (wanted && wanted !== identity.hash) {
    throw new AgentError('invalid_request', '400: Instance is allocated to a different node')
  }
  if (!reconciler.isPlanned(hash)) {
    const refusal = await admission.refusal(content)
    if (refusal !== null) {
      reply.log.info({ hash, reason: refusal }, 'instance refused')
      throw new AgentError(
        'insufficient_capacity',
        'This CRN cannot host the requested instance at this time.',
      )
    }
    options.gpus.assertAvailable(content)
  }
  await payments.assertAffordable(hash, content)
  const payment = content.payment?.type ?? 'hold'
  const { successful, errors } = await reconciler.notify(hash, payment, options.waitMs)
  const success = successful.length > 0
  return reply
    .code(success ? 200 : 503)
    .send({ success, successful: success, failing: success ? [] : [hash], errors })
}

function parseInstance(body: unknown) {
  try {
    return parseContent('INSTANCE', body)
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error
    throw new AgentError('invalid_request', `Body is no INSTANCE content: ${error.message}`)
  }
}

/** A JSON text inside the JSON answer, which clients of the network take apart themselves. */
function validationErrors(error: z.ZodError): string {
  return JSON.stringify(
    error.issues.map(({ path, message, code }) => ({ loc: path, msg: message, type: code })),
  )
}
