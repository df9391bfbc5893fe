import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Reconciler } from '../allocations/reconciler.ts'
import { AgentError } from '../errors.ts'
import type { ProgramHost } from '../programs/program-host.ts'
import type { WorkloadHost } from '../workloads.ts'
import { type BackupRoutesOptions, backupRoutes } from './backup-routes.ts'
import { type ConfidentialRoutesOptions, confidentialRoutes } from './confidential-routes.ts'
import type { Expiries } from './expiries.ts'
import { logRoutes } from './log-routes.ts'
import { assertOwner } from './owner-access.ts'
import { type RescueRoutesOptions, rescueRoutes } from './rescue-routes.ts'

export interface MachineRoutesOptions
  extends BackupRoutesOptions,
    ConfidentialRoutesOptions,
    RescueRoutesOptions {
  workloads: WorkloadHost
  programs: ProgramHost
  reconciler: Reconciler
  expiries: Expiries
}

interface MachineRequest {
  Params: { ref: string }
  Querystring: Record<string, string | undefined>
}

type Operation = (ref: string, request: FastifyRequest<MachineRequest>) => Promise<string>

const MAX_EXPIRY_SECONDS = 864_000

/** What a VM's owner may do with it (protocol 05 §10), opened by wallet and ephemeral key (05 §4.1). */
export async function machineRoutes(app: FastifyInstance, options: MachineRoutesOptions): Promise<void> {
  const { vms, workloads, programs, reconciler, expiries, rescues } = options
  const isRunning = (ref: string) => vms.get(ref)?.state === 'running'
  await app.register(logRoutes, options)
  await app.register(backupRoutes, options)
  await app.register(rescueRoutes, options)
  await app.register(confidentialRoutes, options)

  /** Starts what was asked for here before; an on-demand program starts as its first call would. */
  async function start(ref: string): Promise<void> {
    if (await reconciler.resume(ref)) return workloads.ensureRunning(ref)
    const info = vms.get(ref)
    if (info?.type === 'instance' || info?.kind === 'persistent') {
      throw new AgentError(
        'conflict',
        'Nobody asked for this VM on this node any more; allocate it with POST /control/allocation/notify',
      )
    }
    const lease = await programs.acquire(ref)
    lease.release()
  }

  const operations: Record<string, Operation> = {
    async stop(ref) {
      await reconciler.release(ref)
      const ran = isRunning(ref)
      await workloads.stop(ref)
      return ran ? `Stopped VM with ref ${ref}` : 'Already stopped, nothing to do'
    },

    async start(ref) {
      if (isRunning(ref)) return 'Already running, nothing to do'
      await start(ref)
      return `Started VM with ref ${ref}`
    },

    async reboot(ref) {
      if (!isRunning(ref)) {
        await start(ref)
        return `Starting VM (was not running) with ref ${ref}`
      }
      const planned = reconciler.isPlanned(ref)
      await reconciler.release(ref)
      await workloads.stop(ref)
      if (planned) await reconciler.resume(ref)
      if (planned) await workloads.ensureRunning(ref)
      else await start(ref)
      return `Rebooted VM with ref ${ref}`
    },

    async erase(ref) {
      await rescues.assertNormal(ref)
      await reconciler.dismiss(ref)
      expiries.cancel(ref)
      await workloads.erase(ref)
      return `Erased VM with ref ${ref}`
    },

    async reinstall(ref, { query }) {
      await rescues.assertNormal(ref)
      const planned = reconciler.isPlanned(ref)
      await reconciler.release(ref)
      await workloads.reset(ref, { volumes: query.erase_volumes !== 'false' })
      if (planned) await reconciler.resume(ref)
      if (planned) await workloads.ensureRunning(ref)
      return `Reinstalled VM with ref ${ref}`
    },

    async expire(ref, request) {
      const seconds = expirySeconds(request)
      await expiries.set(ref, Date.now() / 1000 + seconds)
      return `Expiring VM with ref ${ref} in ${seconds} seconds`
    },
  }

  for (const [name, operate] of Object.entries(operations)) {
    app.post<MachineRequest>(`/control/machine/:ref/${name}`, async (request, reply) => {
      const { ref } = request.params
      await assertOwner(request, ref, options)
      return text(reply, await operate(ref, request))
    })
  }
}

/** The body's `timeout`, else the query's, else now (protocol 05 §10: clients differ). */
function expirySeconds({ body, query }: FastifyRequest<MachineRequest>): number {
  const given = (body as { timeout?: unknown } | null)?.timeout ?? query.timeout ?? 0
  const seconds = typeof given === 'string' ? Number(given) : given
  if (typeof seconds === 'number' && seconds >= 0 && seconds < MAX_EXPIRY_SECONDS) return seconds
  throw new AgentError('invalid_request', 'Invalid timeout duration')
}

function text(reply: FastifyReply, message: string): FastifyReply {
  return reply.type('text/plain; charset=utf-8').send(message)
}
