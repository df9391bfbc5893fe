import { ProtocolError } from '@aleph-ts/protocol'
import { insertVmVersions } from '../../state/vm-versions.ts'
import { insertVms, removeVms } from '../../state/vms.ts'
import { type Candidate, hashOf, look, ownerOf } from '../candidate.ts'
import { childrenOf, revisionsOf, usersOf } from '../names.ts'
import { denied, requireAuthor } from '../permissions.ts'
import type { TypeRules } from '../type-rules.ts'
import { type VmFile, vmContent, vmFiles } from '../vm-files.ts'
import { Waiting } from '../waiting.ts'
import type { World } from '../world.ts'

const bytesPerMib = 1024 * 1024

/** PROGRAM, INSTANCE and V-PROGRAM: something that runs from stored files (protocol 02 §11). */
export const vmRules: TypeRules = {
  dependencies(candidate) {
    const replaces = vmContent(candidate).replaces
    return [...vmFiles(vmContent(candidate)).map((file) => file.ref), ...(replaces ? [replaces] : [])]
  },

  makes(candidate) {
    const content = vmContent(candidate)
    const guarded = vmFiles(content).filter((file) => file.guarded)
    const names = guarded.map((file) => usersOf(file.ref))
    if (content.replaces) names.push(childrenOf(content.replaces))
    return names
  },

  looksAt(candidate) {
    const content = vmContent(candidate)
    const names = vmFiles(content).map((file) => revisionsOf(file.ref))
    if (content.replaces) names.push(childrenOf(content.replaces))
    return names
  },

  judge(candidate, world) {
    requireAuthor(candidate, world)
    requireFiles(candidate, world)
    requireRoomForParents(candidate, world)
    requireReplaceable(candidate, world)
  },

  async enter(tx, candidates) {
    await insertVms(tx, candidates)
    await insertVmVersions(tx, candidates)
  },

  leave: (tx, candidates) => removeVms(tx, candidates.map(hashOf)),
}

/** Every file it is built from is there (protocol 02 §11.2.1, §11.2.4). */
function requireFiles(candidate: Candidate, world: World): void {
  const missing = new Set<string>()
  for (const file of vmFiles(vmContent(candidate))) {
    const found = world.file(file, candidate) !== undefined
    if (file.use_latest) look(candidate, revisionsOf(file.ref), found ? 'before' : 'ever')
    if (!found) missing.add(file.ref)
  }
  if (missing.size === 0) return
  const refs = [...missing]
  throw new Waiting(new ProtocolError('VM_VOLUME_NOT_FOUND', { errors: refs }), refs)
}

/** A disk is not smaller than the file it starts from (protocol 02 §11.2.2). */
function requireRoomForParents(candidate: Candidate, world: World): void {
  const disks = vmFiles(vmContent(candidate)).filter(
    (file): file is VmFile & { disk: object } => file.disk !== undefined,
  )
  const errors = disks.flatMap((file) => {
    const parent = world.file(file, candidate)!
    const volumeSize = file.disk.sizeMib * bytesPerMib
    if (volumeSize >= parent.size) return []
    return {
      volume_name: file.disk.name,
      parent_ref: file.ref,
      parent_file: parent.file_hash,
      parent_size: parent.size,
      volume_size: volumeSize,
    }
  })
  if (errors.length > 0) throw new ProtocolError('VM_VOLUME_TOO_SMALL', { errors })
}

/** A new version replaces an original of the same owner, while its current version allows it (protocol 02 §11.2.3). */
function requireReplaceable(candidate: Candidate, world: World): void {
  const { replaces } = vmContent(candidate)
  if (!replaces) return
  const versions = world.versions(replaces, candidate).filter((vm) => vm.item_hash !== hashOf(candidate))
  const original = versions.find((vm) => vm.item_hash === replaces)
  look(candidate, childrenOf(replaces))
  if (!original) throw new Waiting(new ProtocolError('VM_REF_NOT_FOUND', { errors: [replaces] }), [replaces])
  if (original.owner !== ownerOf(candidate)) {
    throw denied(`Address ${ownerOf(candidate)} cannot replace a VM of ${original.owner}`)
  }
  if (original.replaces !== null) throw new ProtocolError('VM_UPDATE_UPDATE', { errors: [replaces] })
  if (!versions[0]!.allow_amend)
    throw new ProtocolError('VM_AMEND_NOT_ALLOWED', { errors: [versions[0]!.item_hash] })
}
