import type { FastifyInstance, FastifyReply } from 'fastify'
import { AgentError } from '../errors.ts'
import { checkDiagnosticProgram, checkHost, reachesIpv6 } from './status-checks.ts'

export interface StatusRoutesOptions {
  domainName: string
  version: string
  /** The node's own address, known once it listens. */
  ownUrl: () => string
  checkProgram: string
  legacyCheckProgram: string
}

/** Self-tests that node scoring and operators ask for (protocol 05 §16). */
export async function statusRoutes(app: FastifyInstance, options: StatusRoutesOptions): Promise<void> {
  const { domainName, version, ownUrl, checkProgram, legacyCheckProgram } = options

  const diagnose = async (reply: FastifyReply, hash: string, legacy: boolean) => {
    const { healthy, result } = await once(`program ${hash} ${legacy}`, () =>
      checkDiagnosticProgram(ownUrl(), hash, legacy),
    )
    return reply.code(healthy ? 200 : 503).send(result)
  }
  app.get<{ Querystring: Record<string, string> }>('/status/check/fastapi', (request, reply) =>
    diagnose(reply, checkProgram, request.query['retro-compatibility'] === 'true'),
  )
  app.get('/status/check/fastapi/legacy', (_request, reply) => diagnose(reply, legacyCheckProgram, true))

  // Guests have no address of their own: their HTTP comes over the guest channel, their ssh over the host's ports.
  app.get('/status/check/ipv6', async () => ({ host: await reachesIpv6(), vm: false }))

  app.get('/status/check/host', async (_request, reply) => {
    const { healthy, result } = await once('host', () => checkHost(domainName))
    return reply.code(healthy ? 200 : 503).send(result)
  })

  app.get<{ Querystring: { reference?: string } }>('/status/check/version', (request, reply) => {
    const { reference } = request.query
    const wanted = parseVersion(reference)
    const own = parseVersion(version)
    if (!wanted || !own) throw new AgentError('invalid_request', 'Query field `reference` must be a version')
    const older = own.findIndex((part, index) => part !== wanted[index])
    if (older >= 0 && (own[older] as number) < (wanted[older] as number)) {
      return reply.code(403).send({ error: `Outdated: version ${version} < ${reference}` })
    }
    return reply.type('text/plain; charset=utf-8').send(`Up-to-date: version ${version} >= ${reference}`)
  })
}

const underWay = new Map<string, Promise<unknown>>()

/** Callers at the same time share one check: anybody may ask, and checks are work. */
function once<T>(name: string, check: () => Promise<T>): Promise<T> {
  const running = underWay.get(name) as Promise<T> | undefined
  if (running) return running
  const started = check().finally(() => underWay.delete(name))
  underWay.set(name, started)
  return started
}

function parseVersion(text: string | undefined): number[] | null {
  const match = /^v?(\d{1,6})\.(\d{1,6})\.(\d{1,6})/.exec(text ?? '')
  return match ? match.slice(1).map(Number) : null
}
