import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Reconciler } from '../allocations/reconciler.ts'
import type { VmHost } from '../vm-host.ts'
import { allExecutions, type NetworkFacts } from './executions.ts'
import type { LoginToken } from './login-token.ts'

export interface DebugRoutesOptions {
  token: LoginToken
  facts: NetworkFacts
  vms: VmHost
  reconciler: Reconciler
  /** The node's settings without secrets, by variable name. */
  settings: Record<string, unknown>
}

/** Pages for the operator, behind a token of this machine (protocol 05 §4.6, §16). */
export async function debugRoutes(app: FastifyInstance, options: DebugRoutesOptions): Promise<void> {
  const { token, facts, vms, reconciler, settings } = options

  // Scoring measures a node by the refusal without a token.
  app.get<{ Querystring: { token?: string } }>('/about/login', (request, reply) => {
    if (!token.matches(request.query.token)) return reply.code(401).send({ success: false })
    return reply
      .header('Set-Cookie', `token=${request.query.token}; HttpOnly; SameSite=Strict; Path=/about`)
      .redirect('/about/config', 302)
  })

  const onRequest = async (request: FastifyRequest, reply: FastifyReply) => {
    if (!token.isIn(request.headers.cookie)) await reply.code(401).send({ error: '401 Invalid token' })
  }
  app.get('/about/config', { onRequest }, async () => settings)
  app.get('/about/executions/details', { onRequest }, async () => {
    const infos = new Map(vms.list().map((info) => [info.id, info]))
    const listed = Object.entries(allExecutions(vms, reconciler, facts))
    return Object.fromEntries(
      listed.map(([hash, entry]) => [hash, { ...entry, vm: infos.get(hash) ?? null }]),
    )
  })
}
