import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import type { InstanceDisk } from '../../supervisor/index.ts'
import type { FileStore } from '../core-nodes/file-store.ts'
import type { MessageSource } from '../core-nodes/message-source.ts'
import { runTool, type VolumeStore } from '../volumes/volume-store.ts'
import type { ParentImage, ParentImages } from './parent-images.ts'

const diskName = 'rescue.img'
const factsName = 'rescue.json'
const factsSchema = z.object({ sha256: z.string(), path: z.string(), format: z.enum(['raw', 'qcow2']) })

export interface RescueDisksOptions {
  messages: MessageSource
  files: FileStore
  parents: ParentImages
  volumes: VolumeStore
  maxImageBytes: number
}

/** Disks of a system that boots in the place of an instance's own, so that its owner can mend that. */
export class RescueDisks {
  readonly #options: RescueDisksOptions

  constructor(options: RescueDisksOptions) {
    this.#options = options
  }

  /** Makes the disk, over the published image. Throws AgentError `file_not_found` or as ParentImages.of does. */
  async make(hash: string, imageRef: string): Promise<void> {
    const { messages, files, parents, volumes, maxImageBytes } = this.#options
    const store = await messages.store(imageRef, true)
    const sha256 = store.content.item_hash
    const parent = await parents.of({ path: await files.fetch(sha256, maxImageBytes), sha256 })
    await this.remove(hash)
    await volumes.file(hash, diskName, (part) => makeOverlay(part, parent))
    const facts = JSON.stringify({ sha256, path: parent.path, format: parent.format })
    await volumes.file(hash, factsName, (part) => writeFile(part, facts, { mode: 0o600 }))
  }

  /** The disk of an instance that is being rescued; null of any other. */
  async find(hash: string): Promise<InstanceDisk | null> {
    const facts = await this.#facts(hash)
    if (!facts) return null
    const { path: backing, format } = facts
    const path = join(this.#options.volumes.folder(hash), diskName)
    return { serial: 'rescue', path, format: 'qcow2', writable: true, backing: { path: backing, format } }
  }

  /** Content hash of the image under the disk; null when there is none. */
  async parentOf(hash: string): Promise<string | null> {
    return (await this.#facts(hash))?.sha256 ?? null
  }

  async remove(hash: string): Promise<void> {
    await this.#options.volumes.remove(hash, (name) => name === diskName || name === factsName)
  }

  async #facts(hash: string) {
    const path = join(this.#options.volumes.folder(hash), factsName)
    const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return null
      throw error
    })
    return text === null ? null : factsSchema.parse(JSON.parse(text))
  }
}

async function makeOverlay(path: string, parent: ParentImage): Promise<void> {
  const over = ['-b', parent.path, '-F', parent.format]
  await runTool('qemu-img', ['create', '-q', '-f', 'qcow2', ...over, path], 'qemu-utils')
}
