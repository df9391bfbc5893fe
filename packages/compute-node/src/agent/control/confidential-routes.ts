import multipart from '@fastify/multipart'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { z } from 'zod'
import type { Reconciler } from '../allocations/reconciler.ts'
import type { LaunchSession, Sessions } from '../confidential/sessions.ts'
import { AgentError } from '../errors.ts'
import type { InstanceLoader } from '../instances/instance-loader.ts'
import type { VmHost } from '../vm-host.ts'
import type { WorkloadHost } from '../workloads.ts'
import { assertOwner, type OwnerAccessOptions } from './owner-access.ts'

const MAX_PART_BYTES = 64 * 1024
const base64 = z.base64().min(1).max(MAX_PART_BYTES)
const secretSchema = z.object({ packet_header: base64, secret: base64 })

export interface ConfidentialRoutesOptions extends OwnerAccessOptions {
  vms: VmHost
  workloads: WorkloadHost
  reconciler: Reconciler
  sessions: Sessions
  instances: Pick<InstanceLoader, 'content'>
}

interface MachineRequest {
  Params: { ref: string }
}

/** How an owner launches an instance whose memory the node cannot read (protocol 05 §11, steps 4, 5 and 8). */
export async function confidentialRoutes(
  app: FastifyInstance,
  options: ConfidentialRoutesOptions,
): Promise<void> {
  const { vms, workloads, reconciler, sessions } = options
  const path = '/control/machine/:ref/confidential'

  const runs = (ref: string) => vms.get(ref)?.state === 'running'

  await app.register(async (uploads) => {
    await uploads.register(multipart, { limits: { files: 2, fields: 2, fileSize: MAX_PART_BYTES } })
    uploads.post<MachineRequest>(`${path}/initialize`, async (request, reply) => {
      const { ref } = request.params
      await assertOwner(request, ref, options)
      if (runs(ref)) return refuse(reply, 'vm_running', 'Operation not allowed, VM is already running')
      const { environment } = await options.instances.content(ref)
      if (!environment.trusted_execution) {
        return refuse(reply, 'not_confidential', 'Operation not allowed, VM is not confidential')
      }
      if (environment.trusted_execution.mode === 'sev_snp') return refuseMeasured(reply)
      const session = await readSession(request)
      if (!session) {
        return refuse(reply, 'field_missing', 'Required: file parts "session" and "godh" in base64')
      }
      await sessions.save(ref, session)
      if (!(await reconciler.resume(ref))) {
        throw new AgentError('conflict', 'Nobody asked for this VM on this node; allocate it first')
      }
      await workloads.ensureRunning(ref)
      return reply.type('text/plain; charset=utf-8').send(`Started VM with ref ${ref}`)
    })
  })

  app.get<MachineRequest>(`${path}/measurement`, async (request, reply) => {
    const { ref } = request.params
    await assertOwner(request, ref, options)
    if (!isLaunched(ref)) return notRunning(reply)
    if (await isMeasured(ref)) return refuseMeasured(reply)
    const { info, measure } = await vms.launchControl(ref).measurement()
    const { enabled, apiMajor, apiMinor, buildId, policy, state, handle } = info
    return {
      sev_info: {
        enabled,
        api_major: apiMajor,
        api_minor: apiMinor,
        build_id: buildId,
        policy,
        state,
        handle,
      },
      launch_measure: measure,
    }
  })

  app.post<MachineRequest>(`${path}/inject_secret`, async (request, reply) => {
    const { ref } = request.params
    await assertOwner(request, ref, options)
    if (!isLaunched(ref)) return notRunning(reply)
    if (await isMeasured(ref)) return refuseMeasured(reply)
    const body = secretSchema.safeParse(request.body)
    if (!body.success) {
      throw new AgentError('invalid_request', `Body is no secret: ${z.prettifyError(body.error)}`)
    }
    const { packet_header: header, secret } = body.data
    return { status: await vms.launchControl(ref).injectSecret(header, secret) }
  })

  async function isMeasured(ref: string): Promise<boolean> {
    const { environment } = await options.instances.content(ref)
    return environment.trusted_execution?.mode === 'sev_snp'
  }

  function isLaunched(ref: string): boolean {
    return runs(ref) && vms.get(ref)?.confidential === true
  }
}

/** Both parts, whether they come as files or as fields; null when one is missing or no base64. */
async function readSession(request: FastifyRequest): Promise<LaunchSession | null> {
  if (!request.isMultipart()) return null
  const found = new Map<string, string>()
  for await (const part of request.parts()) {
    const text = part.type === 'file' ? (await part.toBuffer()).toString('utf8') : String(part.value)
    found.set(part.fieldname, text.trim())
  }
  const session = base64.safeParse(found.get('session'))
  const godh = base64.safeParse(found.get('godh'))
  return session.success && godh.success ? { session: session.data, dhCertificate: godh.data } : null
}

function refuse(reply: FastifyReply, code: string, description: string): FastifyReply {
  return reply.code(400).send({ code, description })
}

/** A guest with SEV-SNP is asked itself, without the node between. */
function refuseMeasured(reply: FastifyReply): FastifyReply {
  const description =
    'Operation not allowed, the VM uses SEV-SNP: it answers for itself at its attestation port'
  return refuse(reply, 'not_confidential', description)
}

function notRunning(reply: FastifyReply): FastifyReply {
  return reply.code(403).send({ error: 'Operation not allowed, the VM is not launched confidentially' })
}
