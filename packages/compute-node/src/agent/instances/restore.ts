import { createWriteStream } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { type Readable, Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { FileStore } from '../core-nodes/file-store.ts'
import type { MessageSource } from '../core-nodes/message-source.ts'
import { AgentError } from '../errors.ts'
import { assertSelfContained, diskBytes, isQcow2 } from '../volumes/disk-image.ts'
import { runTool, type VolumeStore } from '../volumes/volume-store.ts'
import type { WorkloadHost } from '../workloads.ts'
import type { InstanceLoader } from './instance-loader.ts'

const MIB = 1024 * 1024

export interface RestoreOptions {
  loader: InstanceLoader
  volumes: VolumeStore
  files: FileStore
  messages: MessageSource
  instances: WorkloadHost
}

/** Where a disk to restore comes from: bytes as they arrive, or a published file. */
export type RestoreSource = { upload: Readable } | { storeRef: string }

/**
 * Puts a disk of the owner's in the place of an instance's root disk (protocol 05 §10.5). The disk is checked
 * and written anew before `stop` is called; the former disk is kept beside it.
 * Throws AgentError `body_too_large`, `invalid_request` or `file_not_found`.
 */
export async function restoreRootDisk(
  hash: string,
  source: RestoreSource,
  options: RestoreOptions,
  stop: () => Promise<void>,
): Promise<void> {
  const { loader, volumes } = options
  const most = (await loader.content(hash)).rootfs.size_mib * MIB
  const received = join(volumes.folder(hash), 'restore-received.part')
  const clean = join(volumes.folder(hash), 'restore-clean.part')
  try {
    const path = await receive(source, received, most, options)
    if (!(await isQcow2(path))) {
      throw new AgentError('invalid_request', 'Uploaded file is not a valid QCOW2 disk image')
    }
    await assertSelfContained(path)
    if ((await diskBytes(path, 'qcow2')) > most) {
      throw new AgentError('invalid_request', `The disk is larger than the ${most} bytes of rootfs.size_mib`)
    }
    await runTool('qemu-img', ['convert', '-f', 'qcow2', '-O', 'qcow2', path, clean], 'qemu-utils')
    await runTool('qemu-img', ['resize', '-q', '-f', 'qcow2', clean, String(most)], 'qemu-utils')
    await stop()
    await loader.replaceRootDisk(hash, clean)
  } finally {
    await rm(received, { force: true })
    await rm(clean, { force: true })
  }
}

async function receive(
  source: RestoreSource,
  target: string,
  maxBytes: number,
  { files, messages }: RestoreOptions,
): Promise<string> {
  if ('storeRef' in source) {
    const store = await messages.store(source.storeRef, false)
    return files.fetch(store.content.item_hash, maxBytes)
  }
  let size = 0
  const limit = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      size += chunk.length
      if (size <= maxBytes) return done(null, chunk)
      done(
        new AgentError('body_too_large', `The disk is larger than the ${maxBytes} bytes of rootfs.size_mib`),
      )
    },
  })
  await pipeline(source.upload, limit, createWriteStream(target, { mode: 0o600 }))
  return target
}
