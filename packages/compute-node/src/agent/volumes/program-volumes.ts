import { open } from 'node:fs/promises'
import type { ProgramContent } from '@aleph-ts/protocol'
import type { DiskImage, VolumeMount } from '../../supervisor/index.ts'
import { AgentError } from '../errors.ts'
import { isSquashfs } from '../programs/squashfs.ts'
import { volumeOverParent } from './parent-volume.ts'
import { mountPoint, type NamedVolume, nameVolumes } from './volume-names.ts'
import type { VolumeStore } from './volume-store.ts'

/** A microVM has room for 24 devices; three are taken. */
const MAX_DISKS = 20
const EXT4_MAGIC_OFFSET = 0x438

export interface ProgramVolumesOptions {
  store: VolumeStore
  /** A published file by its STORE message, downloaded and verified. */
  file: (ref: string, useLatest: boolean) => Promise<DiskImage>
  /** Path of the image that a disk of the program's own begins as; its newer versions change nothing. */
  parentFile: (ref: string, useLatest: boolean) => Promise<string>
  /** The image of a program's `data`, whatever its encoding. */
  dataImage: (data: NonNullable<ProgramContent['data']>) => Promise<{ image: DiskImage; file: DiskImage }>
}

/** What a program's guest mounts besides its runtime and code. */
export interface PreparedVolumes {
  mounts: VolumeMount[]
  /** Content hashes of the downloads among them. */
  files: string[]
}

/** Has everything a program mounts ready: downloads, disks of its own, memory, data (protocol 05 §6.8). */
export async function prepareProgramVolumes(
  hash: string,
  content: ProgramContent,
  options: ProgramVolumesOptions,
): Promise<PreparedVolumes> {
  const named = nameVolumes(content.volumes)
  if (named.length > MAX_DISKS) {
    throw new AgentError('unsupported', `The program asks for more than ${MAX_DISKS} volumes`)
  }
  const mounts = await Promise.all(named.map((volume) => prepare(hash, volume, options)))
  const files = mounts.flatMap((mount) => (mount.kind === 'image' ? [mount.image.sha256] : []))
  if (content.data) {
    const mount = mountPoint(content.data.mount || '/data', 'data.mount')
    const { image, file } = await options.dataImage(content.data)
    mounts.push({ kind: 'image', mount, image, fileSystem: 'squashfs', copyOnWrite: true })
    files.push(file.sha256)
  }
  return { mounts, files }
}

async function prepare(
  hash: string,
  { volume, name, mount }: NamedVolume,
  { store, file, parentFile }: ProgramVolumesOptions,
): Promise<VolumeMount> {
  if (volume.kind === 'ephemeral') return { kind: 'memory', mount, sizeMiB: volume.size_mib }
  if (volume.kind === 'persistent') {
    if (volume.persistence === 'store') throw unsupported(name, 'persistence "store"')
    const { parent, size_mib: sizeMiB } = volume
    if (parent) {
      const fetch = () => parentFile(parent.ref, parent.use_latest)
      const path = await volumeOverParent(store, hash, { name, sizeMiB, fetch, check: assertExt4 })
      return { kind: 'disk', mount, path, grows: true }
    }
    return { kind: 'disk', mount, path: await store.volume(hash, name, sizeMiB) }
  }
  const image = await file(volume.ref, volume.use_latest)
  const fileSystem = await fileSystemOf(image.path)
  if (fileSystem === null) {
    throw new AgentError(
      'broken_archive',
      `The volume ${volume.ref} is neither a whole squashfs image nor an ext4 image`,
    )
  }
  return { kind: 'image', mount, image, fileSystem, copyOnWrite: false }
}

/** What kind of file system an image is; null for anything else. */
export async function fileSystemOf(path: string): Promise<'squashfs' | 'ext4' | null> {
  if (await isSquashfs(path)) return 'squashfs'
  const file = await open(path, 'r')
  try {
    const magic = Buffer.alloc(2)
    await file.read(magic, 0, 2, EXT4_MAGIC_OFFSET)
    return magic.readUInt16LE(0) === 0xef53 ? 'ext4' : null
  } finally {
    await file.close()
  }
}

async function assertExt4(path: string, name: string): Promise<void> {
  if ((await fileSystemOf(path)) === 'ext4') return
  throw new AgentError('broken_archive', `The parent of the volume "${name}" holds no ext4 file system`)
}

function unsupported(name: string, what: string): AgentError {
  return new AgentError(
    'unsupported',
    `The volume "${name}" asks for ${what}, which this node does not offer`,
  )
}
