import { link, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { InstanceContent } from '@aleph-ts/protocol'
import { z } from 'zod'
import type { TapLinks } from '../../network/index.ts'
import type { InstanceDisk, InstanceSpec } from '../../supervisor/index.ts'
import { executableContent } from '../allocations/plan-assessment.ts'
import type { Confidential } from '../confidential/confidential.ts'
import type { FileStore } from '../core-nodes/file-store.ts'
import type { MessageSource } from '../core-nodes/message-source.ts'
import { AgentError } from '../errors.ts'
import { vmHostName } from '../vm-host-name.ts'
import { standsAlone } from '../volumes/disk-image.ts'
import { volumeOverParent } from '../volumes/parent-volume.ts'
import { fileSystemOf } from '../volumes/program-volumes.ts'
import { type NamedVolume, nameVolumes } from '../volumes/volume-names.ts'
import { runTool, type VolumeStore } from '../volumes/volume-store.ts'
import { bootCommands } from './boot-commands.ts'
import type { ParentImage, ParentImages } from './parent-images.ts'
import type { RescueDisks } from './rescue-disks.ts'
import { seedImage } from './seed.ts'

const MIB = 1024 * 1024
export const rootDiskName = 'rootfs.qcow2'
const ephemeralPrefix = 'ephemeral-'
const rootFactsName = 'rootfs.json'
const rootFactsSchema = z.object({ parent: z.string() })

export interface InstanceLoaderOptions {
  messages: MessageSource
  files: FileStore
  parents: ParentImages
  volumes: VolumeStore
  rescues: RescueDisks
  confidential: Confidential
  limits: { maxImageBytes: number; maxVolumeBytes: number }
  /** Whether instances without a link may open connections to the outside, and so to whatever the host reaches. */
  outbound: boolean
  /** Links of instances; null: they have none. */
  links: TapLinks | null
  /** For instances with a link. */
  nameservers: readonly string[]
  forwardHost: string
}

/** Whether a file of an instance's is a disk that outlives a start: the root disk, or a persistent volume. */
export function isKeptDisk(name: string): boolean {
  return name === rootDiskName || (name.endsWith('.ext4') && !name.startsWith(ephemeralPrefix))
}

/** Turns an INSTANCE message into a machine that boots: parent fetched, disks made, seed written (protocol 05 §7). */
export class InstanceLoader {
  readonly #options: InstanceLoaderOptions

  constructor(options: InstanceLoaderOptions) {
    this.#options = options
  }

  /** The instance's content. Throws AgentError `unsupported` or `invalid_program`, and those of MessageSource.get. */
  async content(hash: string): Promise<InstanceContent> {
    const content = executableContent(hash, await this.#options.messages.get(hash))
    if ('rootfs' in content) return content
    throw new AgentError('unsupported', `Message ${hash} is no INSTANCE`)
  }

  /** Has everything an instance needs ready; its ports are the caller's to add. */
  async load(hash: string): Promise<Omit<InstanceSpec, 'forwards'>> {
    const content = await this.content(hash)
    assertSupported(content)
    const hostname = vmHostName(hash)
    const { volumes, outbound, links, nameservers, forwardHost } = this.#options
    const { folder, disk: root } = await this.#rootDisk(hash, content)
    const named = nameVolumes(content.volumes)
    const prepared: PreparedVolume[] = []
    for (const [index, volume] of named.entries()) prepared.push(await this.#volume(hash, volume, index))
    const link = links ? await links.of(hash) : null
    const seed = seedImage({
      hash,
      hostname,
      authorizedKeys: content.authorized_keys ?? [],
      variables: content.variables ?? {},
      bootCommands: bootCommands(content),
      mounts: prepared.map(({ disk, mount, fileSystem, grows = false }) => ({
        serial: disk.serial,
        folder: mount,
        fileSystem,
        readOnly: !disk.writable,
        grows,
      })),
      network: link && { link, nameservers },
    })
    const seedPath = join(folder, 'seed.iso')
    await writeFile(`${seedPath}.part`, seed, { mode: 0o644 })
    await rename(`${seedPath}.part`, seedPath)
    const rescue = await this.#options.rescues.find(hash)
    const confidential = await this.#options.confidential.launch(hash, content)
    return {
      type: 'instance',
      ...(rescue && { mode: 'rescue' as const }),
      ...(confidential && { confidential }),
      id: hash,
      kind: 'persistent',
      vcpus: content.resources.vcpus,
      memoryMiB: content.resources.memory,
      disks: [
        ...(rescue ? [rescue] : []),
        root,
        { serial: 'seed', path: join(volumes.folder(hash), 'seed.iso'), format: 'raw', writable: false },
        ...prepared.map(({ disk }) => disk),
      ],
      internet: (outbound || link !== null) && content.environment.internet,
      ...(link && { link }),
      forwardHost,
    }
  }

  /** Content hashes of the images that an instance's disks were made over. */
  async parentsOf(hash: string): Promise<string[]> {
    const parents = await Promise.all([this.#parentOf(hash), this.#options.rescues.parentOf(hash)])
    return parents.filter((sha256) => sha256 !== null)
  }

  async #parentOf(hash: string): Promise<string | null> {
    const path = join(this.#options.volumes.folder(hash), rootFactsName)
    const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return null
      throw error
    })
    return text === null ? null : rootFactsSchema.parse(JSON.parse(text)).parent
  }

  /** Puts a disk that stands on its own in the place of the root disk; the former is kept beside it. */
  async replaceRootDisk(hash: string, disk: string): Promise<void> {
    const folder = this.#options.volumes.folder(hash)
    const former = `pre-restore-${Math.floor(Date.now() / 1000)}.qcow2`
    await link(join(folder, rootDiskName), join(folder, former))
    await rename(disk, join(folder, rootDiskName))
  }

  /**
   * The root disk: made over the parent at first use, then kept with the very parent it was made over, however
   * the publisher amends it. Without persistence on the host it begins anew at every start (protocol 05 §7.2).
   */
  async #rootDisk(hash: string, content: InstanceContent): Promise<{ folder: string; disk: InstanceDisk }> {
    const { volumes, parents } = this.#options
    const folder = volumes.folder(hash)
    const { rootfs } = content
    if (rootfs.persistence !== 'host') await volumes.remove(hash, (name) => name.startsWith('rootfs.'))
    const existing = join(folder, rootDiskName)
    if (await standsAlone(existing)) {
      return { folder, disk: { serial: 'root', path: existing, format: 'qcow2', writable: true } }
    }
    const known = await this.#parentOf(hash)
    const parent = (known && (await parents.find(known))) || (await this.#fetchParent(content))
    const bytes = rootfs.size_mib * MIB
    if (parent.bytes > bytes) {
      const least = Math.ceil(parent.bytes / MIB)
      throw new AgentError('invalid_program', `rootfs.size_mib: the parent image needs at least ${least}`)
    }
    const path = await volumes.file(hash, rootDiskName, async (part) => {
      const over = ['-b', parent.path, '-F', parent.format]
      await runTool('qemu-img', ['create', '-q', '-f', 'qcow2', ...over, part, String(bytes)], 'qemu-utils')
      const sha256 = parent.path.slice(parent.path.lastIndexOf('/') + 1).split('.', 1)[0]
      await writeFile(join(folder, rootFactsName), JSON.stringify({ parent: sha256 }), { mode: 0o600 })
    })
    const { path: backing, format } = parent
    return {
      folder,
      disk: { serial: 'root', path, format: 'qcow2', writable: true, backing: { path: backing, format } },
    }
  }

  async #fetchParent({ rootfs }: InstanceContent): Promise<ParentImage> {
    const { messages, files, parents, limits } = this.#options
    const store = await messages.store(rootfs.parent.ref, rootfs.parent.use_latest)
    const sha256 = store.content.item_hash
    return parents.of({ path: await files.fetch(sha256, limits.maxImageBytes), sha256 })
  }

  async #volume(hash: string, { volume, name, mount }: NamedVolume, index: number): Promise<PreparedVolume> {
    const { volumes, limits } = this.#options
    const serial = `volume${index}`
    if (volume.kind === 'immutable') {
      const path = await this.#file(volume.ref, volume.use_latest, limits.maxVolumeBytes)
      const fileSystem = (await fileSystemOf(path)) ?? 'auto'
      return { disk: { serial, path, format: 'raw' as const, writable: false }, mount, fileSystem }
    }
    if (volume.kind === 'persistent' && volume.parent) {
      const { parent, size_mib: sizeMiB } = volume
      const path = await volumeOverParent(volumes, hash, {
        name,
        sizeMiB,
        fetch: () => this.#file(parent.ref, parent.use_latest, limits.maxImageBytes),
      })
      const disk = { serial, path, format: 'raw' as const, writable: true }
      return { disk, mount, fileSystem: 'auto', grows: true }
    }
    const isEphemeral = volume.kind === 'ephemeral'
    if (isEphemeral) await rm(join(volumes.folder(hash), `${ephemeralPrefix}${index}.ext4`), { force: true })
    const path = await volumes.volume(
      hash,
      isEphemeral ? `${ephemeralPrefix}${index}` : name,
      volume.size_mib,
    )
    return { disk: { serial, path, format: 'raw' as const, writable: true }, mount, fileSystem: 'ext4' }
  }

  /** Path of a published file, by its STORE message. */
  async #file(ref: string, useLatest: boolean, maxBytes: number): Promise<string> {
    const store = await this.#options.messages.store(ref, useLatest)
    return this.#options.files.fetch(store.content.item_hash, maxBytes)
  }
}

interface PreparedVolume {
  disk: InstanceDisk
  mount: string
  fileSystem: string
  /** Whether the guest has its file system grow to the disk's size. */
  grows?: boolean
}

function assertSupported({ environment }: InstanceContent): void {
  const problem =
    environment.hypervisor === 'firecracker'
      ? 'the Firecracker hypervisor; this node boots instances with QEMU: set environment.hypervisor to "qemu"'
      : null
  if (problem) throw new AgentError('unsupported', `The instance asks for ${problem}`)
}
