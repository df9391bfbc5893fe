import { createReadStream } from 'node:fs'
import { isIP } from 'node:net'
import { classifyHash } from '@aleph-ts/protocol'
import type { FastifyInstance, FastifyReply } from 'fastify'
import { z } from 'zod'
import {
  parseJsonBody,
  type SchedulerAuth,
  schedulerDoor,
  takeRawBodies,
} from '../allocations/scheduler-auth.ts'
import { isPublicAddress } from '../egress/public-address.ts'
import { AgentError } from '../errors.ts'
import { formatTime } from '../time-format.ts'
import { diskFileSchema } from './disk-file.ts'
import type { ExportJob, Exports } from './exports.ts'
import type { ImportJob, Imports } from './imports.ts'

const MAX_DISKS = 64

export interface MigrationRoutesOptions {
  scheduler: SchedulerAuth
  exports: Exports
  imports: Imports
  isKnown: (hash: string) => boolean
  /** Lets disks come from addresses that are not public, for networks of one's own. */
  allowPrivateSources: boolean
}

interface MachineRequest {
  Params: { ref: string; name: string }
  Querystring: { token?: string }
}

const migrateSchema = z.object({
  vm_hash: z.string().refine((text) => classifyHash(text) !== null, 'is no item hash'),
  source_host: z
    .string()
    .min(1)
    .max(253)
    .regex(/^[\w.:-]+$/, 'is no host name'),
  source_port: z.number().int().min(1).max(65535).default(443),
  export_token: z.string().min(1).max(256),
  disk_files: z.array(diskFileSchema).min(1).max(MAX_DISKS),
})

/**
 * Cold migration of instances between nodes (protocol 05 §12, 06 §7.4), by a scheduler's signature; the disks
 * themselves by the export's token.
 */
export async function migrationRoutes(app: FastifyInstance, options: MigrationRoutesOptions): Promise<void> {
  const { scheduler, exports, imports } = options
  takeRawBodies(app, schedulerDoor.maxBytes)
  const onRequest = scheduler.through(schedulerDoor)
  const path = '/control/machine/:ref/migration'

  app.post<MachineRequest>(`${path}/export`, { onRequest }, async (request, reply) => {
    const { ref } = request.params
    await scheduler.body(request)
    assertKnown(ref, options)
    const found = exports.find(ref)
    if (found?.state === 'exported') return reply.code(409).send(exportDescriptor(ref, found))
    const job = found?.state === 'exporting' ? found : exports.begin(ref)
    return reply.code(202).send(exportDescriptor(ref, job))
  })

  app.get<MachineRequest>(`${path}/export/status`, { onRequest }, async (request) => {
    const { ref } = request.params
    await scheduler.body(request)
    const job = exports.find(ref)
    if (!job) throw new AgentError('not_found', 'No export job')
    return {
      vm_hash: ref,
      state: job.state,
      started_at: formatTime(job.startedAt),
      finished_at: time(job.finishedAt),
      error: job.error,
      disk_files: job.disks,
      export_token: job.state === 'exported' ? job.token : null,
    }
  })

  app.get<MachineRequest>(`${path}/disk/:name`, async (request, reply) => {
    const { ref, name } = request.params
    const disk = exports.take(ref, name, request.query.token ?? '')
    reply.raw.once('close', disk.done)
    return sendFile(reply, disk.path, disk.size)
  })

  app.post<MachineRequest>(`${path}/cleanup`, { onRequest }, async (request) => {
    const { ref } = request.params
    await scheduler.body(request)
    await exports.cleanUp(ref)
    return { status: 'completed', vm_hash: ref }
  })

  app.post('/control/migrate', { onRequest }, async (request, reply) => {
    const body = migrateSchema.safeParse(parseJsonBody(await scheduler.body(request)))
    if (!body.success) {
      throw new AgentError('invalid_request', `Body is no migration: ${z.prettifyError(body.error)}`)
    }
    const { vm_hash: hash, source_host: host, source_port: port, export_token: token, disk_files } = body.data
    const isAllowed = options.allowPrivateSources ? () => true : isPublicAddress
    if ((isIP(host) && !isAllowed(host)) || (host === 'localhost' && !isAllowed('127.0.0.1'))) {
      throw new AgentError('invalid_request', `source_host: ${host} is no public address`)
    }
    for (const { name, download_path } of disk_files) {
      if (download_path === `/control/machine/${hash}/migration/disk/${name}`) continue
      throw new AgentError('invalid_request', `disk_files: the download path of ${name} is not its own`)
    }
    const job = imports.begin(hash, { host, port, token, isAllowed }, disk_files)
    return reply.code(202).send(importDescriptor(hash, job))
  })

  app.get<MachineRequest>('/control/migrate/:ref/status', { onRequest }, async (request) => {
    const { ref } = request.params
    await scheduler.body(request)
    const job = imports.find(ref)
    if (!job) throw new AgentError('not_found', 'No import job')
    return {
      vm_hash: ref,
      state: job.state,
      started_at: formatTime(job.startedAt),
      finished_at: time(job.finishedAt),
      bytes_downloaded: job.bytesDownloaded,
      total_bytes_expected: job.bytesExpected,
      current_step: job.step,
      error: job.error,
      transfer_time_ms: job.transferMs,
    }
  })
}

function assertKnown(ref: string, { isKnown }: MigrationRoutesOptions): void {
  if (!isKnown(ref)) throw new AgentError('not_found', `No virtual machine with ref ${ref}`)
}

function exportDescriptor(hash: string, job: ExportJob) {
  return descriptor(hash, job, `/control/machine/${hash}/migration/export/status`)
}

function importDescriptor(hash: string, job: ImportJob) {
  return descriptor(hash, job, `/control/migrate/${hash}/status`)
}

function descriptor(hash: string, { state, startedAt, error }: ExportJob | ImportJob, url: string) {
  return {
    state,
    vm_hash: hash,
    started_at: formatTime(startedAt),
    status_url: url,
    ...(error !== null && { error }),
  }
}

function time(epochSeconds: number | null): string | null {
  return epochSeconds === null ? null : formatTime(epochSeconds)
}

function sendFile(reply: FastifyReply, path: string, size: number): FastifyReply {
  return reply
    .header('Content-Type', 'application/octet-stream')
    .header('Content-Length', size)
    .send(createReadStream(path))
}
