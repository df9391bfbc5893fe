import type { InstanceContent, ProgramContent, VProgramContent } from '@aleph-ts/protocol'
import type { FileReference } from '../state/files.ts'
import type { Candidate } from './candidate.ts'

export type VmContent = ProgramContent | InstanceContent | VProgramContent

/** A file that a VM is built from; `disk` only for disks that start as a copy of it. */
export interface VmFile extends FileReference {
  disk?: { name: string; sizeMib: number }
  /** Forgetting the STORE named here is refused while the VM exists (protocol 02 §12.1). */
  guarded: boolean
}

export function vmContent(candidate: Candidate): VmContent {
  return candidate.parsed!.content as VmContent
}

/** Every file a VM needs (protocol 02 §11.2). */
export function vmFiles(content: VmContent): VmFile[] {
  if ('workload' in content) return verifiedFiles(content)
  const files: VmFile[] = []
  if ('code' in content) {
    for (const part of [content.code, content.runtime, content.data]) {
      if (part) files.push({ ref: part.ref, use_latest: part.use_latest, guarded: true })
    }
  } else {
    const { parent, size_mib } = content.rootfs
    files.push({ ...parent, guarded: true, disk: { name: 'rootfs', sizeMib: size_mib } })
  }
  for (const volume of content.volumes) {
    if (volume.kind === 'immutable')
      files.push({ ref: volume.ref, use_latest: volume.use_latest, guarded: true })
    if (volume.kind === 'persistent' && volume.parent) {
      const name = volume.name ?? volume.mount ?? 'volume'
      files.push({ ...volume.parent, guarded: false, disk: { name, sizeMib: volume.size_mib } })
    }
  }
  return files
}

function verifiedFiles(content: VProgramContent): VmFile[] {
  const refs = [
    content.runtime.ref,
    content.workload.ref,
    content.workload.hash_tree,
    ...content.volumes.flatMap((volume) => [volume.ref, volume.hash_tree]),
  ]
  return refs.map((ref) => ({ ref, use_latest: false, guarded: true }))
}
