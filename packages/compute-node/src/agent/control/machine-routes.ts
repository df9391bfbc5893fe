import { Readable } from 'node:stream'
import { classifyHash } from '@aleph-ts/protocol'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Reconciler } from '../allocations/reconciler.ts'
import type { MessageSource } from '../core-nodes/message-source.ts'
import { AgentError } from '../errors.ts'
import type { ProgramHost } from '../programs/program-host.ts'
import type { VmHost } from '../vm-host.ts'
import { authenticateOwner } from './owner-auth.ts'

export interface MachineRoutesOptions {
  vms: VmHost
  programs: ProgramHost
  reconciler: Reconciler
  messages: MessageSource
  domainName: string
}

interface MachineRequest {
  Params: { ref: string }
}

/** Routes of a VM's owner (protocol 05 §10), opened by wallet and ephemeral key (05 §4.1). */
export async function machineRoutes(app: FastifyInstance, options: MachineRoutesOptions): Promise<void> {
  const { vms, programs, reconciler } = options

  app.get<MachineRequest>('/control/machine/:ref/logs', async (request, reply) => {
    const { ref } = request.params
    if (!(await isAllowed(request, options))) return forbid(reply)
    return reply.type('application/json').send(Readable.from(logArray(ref, vms)))
  })

  app.post<MachineRequest>('/control/machine/:ref/stop', async (request, reply) => {
    const { ref } = request.params
    if (!(await isAllowed(request, options))) return forbid(reply)
    reconciler.release(ref)
    const ran = vms.get(ref)?.state === 'running'
    await programs.stop(ref)
    return reply
      .type('text/plain')
      .send(ran ? `Stopped VM with ref ${ref}` : 'Already stopped, nothing to do')
  })
}

/** Whether the request comes from somebody who may act on the VM; throws when it proves nobody, or there is no VM. */
async function isAllowed(
  request: FastifyRequest<MachineRequest>,
  { vms, messages, domainName }: MachineRoutesOptions,
): Promise<boolean> {
  const { ref } = request.params
  if (classifyHash(ref) === null) throw new AgentError('invalid_reference', `Invalid ref: '${ref}'`)
  const sender = authenticateOwner({
    signedPubKey: header(request, 'x-signedpubkey'),
    signedOperation: header(request, 'x-signedoperation'),
    method: request.method,
    path: decodeURIComponent((request.raw.url ?? '').split('?', 1)[0] ?? ''),
    domain: domainName,
    now: Date.now() / 1000,
  })
  if (!vms.get(ref)) throw new AgentError('not_found', `No virtual machine with ref ${ref}`)
  return isOwner(sender, ref, messages)
}

function header(request: FastifyRequest, name: string): string | undefined {
  const value = request.headers[name]
  return Array.isArray(value) ? value[0] : value
}

/** Owner of the message, or somebody its `security` aggregate lets act on instances (protocol 05 §4.3). */
async function isOwner(sender: string, ref: string, messages: MessageSource): Promise<boolean> {
  const { content } = await messages.get(ref)
  const owner = (content as { address?: unknown }).address
  if (typeof owner !== 'string') return false
  if (same(owner, sender)) return true
  const security = (await messages.aggregate(owner, 'security')) as { authorizations?: unknown } | null
  const entries = Array.isArray(security?.authorizations) ? security.authorizations : []
  return entries.some((entry: { address?: unknown; types?: unknown } | null) => {
    if (typeof entry?.address !== 'string' || !same(entry.address, sender)) return false
    const { types } = entry
    return (
      types === undefined ||
      types === null ||
      (Array.isArray(types) && (types.length === 0 || types.includes('INSTANCE')))
    )
  })
}

function same(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase()
}

function forbid(reply: FastifyReply): FastifyReply {
  return reply.code(403).type('text/plain').send('Unauthorized sender')
}

/** Log lines as one JSON array, streamed; field names are the journal's, as clients expect (protocol 05 §10.3). */
async function* logArray(ref: string, vms: VmHost): AsyncGenerator<string> {
  yield '['
  let separator = ''
  for await (const { time, text } of vms.logs(ref, {})) {
    const entry = {
      SYSLOG_IDENTIFIER: `vm-${ref}-stdout`,
      MESSAGE: text,
      file: 'stdout',
      __REALTIME_TIMESTAMP: formatTime(time),
    }
    yield `${separator}${JSON.stringify(entry)}`
    separator = ',\n'
  }
  yield ']'
}

/** Times as the network's compute nodes have always printed them: `2025-03-28 11:21:21.744592+00:00`. */
export function formatTime(epochSeconds: number): string {
  const micros = Math.round(epochSeconds * 1e6)
  const seconds = new Date(Math.floor(micros / 1e6) * 1000).toISOString().slice(0, 19).replace('T', ' ')
  return `${seconds}.${String(micros % 1_000_000).padStart(6, '0')}+00:00`
}
