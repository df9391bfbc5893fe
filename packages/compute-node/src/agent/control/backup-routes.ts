import { createReadStream } from 'node:fs'
import { classifyHash } from '@aleph-ts/protocol'
import multipart from '@fastify/multipart'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Reconciler } from '../allocations/reconciler.ts'
import { AgentError } from '../errors.ts'
import type { BackupMetadata, Backups } from '../instances/backups.ts'
import type { Rescues } from '../instances/rescues.ts'
import { type RestoreOptions, type RestoreSource, restoreRootDisk } from '../instances/restore.ts'
import type { VmHost } from '../vm-host.ts'
import { assertOwner, ForbiddenError, type OwnerAccessOptions } from './owner-access.ts'

/** Upper bound of an upload; the declared size of the root disk is the real one (protocol 05 §1). */
const MAX_UPLOAD_BYTES = 100 * 1024 ** 3

export interface BackupRoutesOptions extends OwnerAccessOptions {
  vms: VmHost
  backups: Backups
  restore: RestoreOptions
  rescues: Rescues
  reconciler: Reconciler
}

interface BackupRequest {
  Params: { ref: string; id: string }
  Querystring: { include_volumes?: string; signature?: string; expires?: string }
}

/** Backup and restore of instances (protocol 05 §10.4, §10.5). */
export async function backupRoutes(app: FastifyInstance, options: BackupRoutesOptions): Promise<void> {
  const { backups, vms, reconciler } = options
  const restoring = new Set<string>()
  const path = '/control/machine/:ref/backup'

  const describe = (ref: string, metadata: BackupMetadata) => ({
    ...metadata,
    download_url: `https://${options.domainName}/control/machine/${ref}/backup/${metadata.backup_id}?${backups.signLink(ref, metadata.backup_id)}`,
  })

  const assertFree = (ref: string) => {
    if (!backups.isRunning(ref) && !restoring.has(ref)) return
    throw new AgentError('conflict', 'A backup or restore is already in progress for this VM')
  }

  app.post<BackupRequest>(path, async (request, reply) => {
    const { ref } = request.params
    await assertOwner(request, ref, options)
    const info = vms.get(ref)
    if (info?.type !== 'instance') throw invalid('Backup only supported for QEMU VMs')
    const found = await backups.stateOf(ref)
    if (found.state === 'failed') return failed(reply, found.reason)
    if (found.state === 'done') return describe(ref, found.metadata)
    if (found.state === 'none') {
      if (info.state !== 'running') throw invalid('VM must be running to create backup')
      assertFree(ref)
      await options.rescues.assertNormal(ref)
      await backups.begin(ref, request.query.include_volumes === 'true')
    }
    return reply.code(202).send({ status: 'in_progress' })
  })

  app.get<BackupRequest>(path, async (request, reply) => {
    const { ref } = request.params
    await assertOwner(request, ref, options)
    const found = await backups.stateOf(ref)
    if (found.state === 'running') return reply.code(202).send({ status: 'in_progress' })
    if (found.state === 'failed') return failed(reply, found.reason)
    if (found.state === 'done') return describe(ref, found.metadata)
    throw new AgentError('not_found', 'No backup found for this VM')
  })

  app.get<BackupRequest>(`${path}/:id`, async (request, reply) => {
    const { ref, id } = request.params
    assertBackupId(ref, id)
    const { signature = '', expires = '' } = request.query
    if (expires !== '' && !/^\d{1,12}$/.test(expires)) throw invalid('Invalid expires')
    if (!backups.isSigned(ref, id, signature, Number(expires))) {
      return reply.code(403).send({ error: 'Invalid or expired signature' })
    }
    const archive = await backups.archive(ref, id)
    const { size, checksum, source_sizes } = archive.metadata
    return reply
      .header('Content-Type', 'application/x-tar')
      .header('Content-Length', size)
      .header('Content-Disposition', `attachment; filename="${id}.tar"`)
      .header('X-Backup-Checksum', checksum)
      .header(
        'X-Source-Size',
        Object.values(source_sizes).reduce((sum, bytes) => sum + bytes, 0),
      )
      .send(createReadStream(archive.path))
  })

  app.delete<BackupRequest>(`${path}/:id`, async (request, reply) => {
    const { ref, id } = request.params
    await assertOwner(request, ref, options)
    assertBackupId(ref, id)
    await backups.remove(ref, id)
    return reply.type('text/plain; charset=utf-8').send(`Deleted backup ${id}`)
  })

  await app.register(async (uploads) => {
    await uploads.register(multipart, { limits: { files: 1, fields: 0, fileSize: MAX_UPLOAD_BYTES } })
    uploads.post<BackupRequest>(
      '/control/machine/:ref/restore',
      { bodyLimit: MAX_UPLOAD_BYTES },
      async (request) => {
        const { ref } = request.params
        await assertOwner(request, ref, options)
        if (vms.get(ref)?.type !== 'instance') throw invalid('Restore only supported for QEMU VMs')
        assertFree(ref)
        await options.rescues.assertNormal(ref)
        restoring.add(ref)
        try {
          const source = await sourceOf(request)
          const planned = reconciler.isPlanned(ref)
          try {
            await restoreRootDisk(ref, source, options.restore, async () => {
              await reconciler.release(ref)
              await options.restore.instances.stop(ref)
            })
          } finally {
            if (planned) await reconciler.resume(ref)
          }
          if (planned) await options.restore.instances.ensureRunning(ref)
        } finally {
          restoring.delete(ref)
        }
        return { status: 'restored', vm_hash: ref }
      },
    )
  })
}

/** The uploaded `rootfs`, or the published file that a JSON body names. */
async function sourceOf(request: FastifyRequest): Promise<RestoreSource> {
  if (request.isMultipart()) {
    const part = await request.file()
    if (part?.fieldname !== 'rootfs') throw invalid('The form has no file field "rootfs"')
    return { upload: part.file }
  }
  const ref = (request.body as { volume_ref?: unknown } | null)?.volume_ref
  if (typeof ref !== 'string' || classifyHash(ref) === null) {
    throw invalid('Give the disk as the file field "rootfs" of a form, or {"volume_ref": "<STORE hash>"}')
  }
  return { storeRef: ref }
}

function assertBackupId(ref: string, id: string): void {
  if (/[/\\]|\.\./.test(id)) throw invalid('Invalid backup id')
  if (!id.startsWith(`${ref}-`)) throw new ForbiddenError('The backup is not of this VM')
}

function failed(reply: FastifyReply, reason: string): FastifyReply {
  return reply.code(500).type('text/plain; charset=utf-8').send(`Backup failed: ${reason}`)
}

function invalid(message: string): AgentError {
  return new AgentError('invalid_request', message)
}
