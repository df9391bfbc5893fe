import type { InstanceContent, ProgramContent, VProgramContent } from '@aleph-ts/protocol'
import type pg from 'pg'
import { type Candidate, isOfType } from '../pipeline/candidate.ts'
import type { FileReference } from './files.ts'

export type VmContent = ProgramContent | InstanceContent | VProgramContent

/** A file that a VM is built from; `name` and `sizeMib` only for disks that start as a copy of it. */
export interface VmFile extends FileReference {
  disk?: { name: string; sizeMib: number }
  /** Forgetting the STORE named here is refused while the VM exists (protocol 02 §12.1). */
  guarded: boolean
}

export function isVmMessage(candidate: Candidate): boolean {
  return isOfType(candidate, 'PROGRAM', 'INSTANCE', 'V-PROGRAM')
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
  const volumes = (content.volumes ?? []) as { ref: string; hash_tree: string }[]
  const refs = [
    content.runtime.ref,
    content.workload.ref,
    content.workload.hash_tree,
    ...volumes.flatMap((volume) => [volume.ref, volume.hash_tree]),
  ]
  return refs.map((ref) => ({ ref, use_latest: false, guarded: true }))
}

const insert = `
  insert into vms (item_hash, owner, type, persistent, allow_amend, payment_type, replaces, created, content)
  select m.item_hash, m.owner, v.type, v.persistent, v.allow_amend, coalesce(m.payment_type, 'hold'), v.replaces,
    v.created, coalesce(m.content, m.item_content)::jsonb
  from unnest($1::text[], $2::text[], $3::bool[], $4::bool[], $5::text[], $6::float8[])
    as v(item_hash, type, persistent, allow_amend, replaces, created)
  join messages m on m.item_hash = v.item_hash`

/** Adds VMs; the candidates are in `messages` already. */
export async function insertVms(tx: pg.PoolClient, candidates: Candidate[]): Promise<void> {
  const contents = candidates.map(vmContent)
  await tx.query(insert, [
    candidates.map((candidate) => candidate.envelope.item_hash),
    candidates.map((candidate) => candidate.envelope.type.toLowerCase()),
    contents.map(isPersistent),
    contents.map((content) => 'allow_amend' in content && content.allow_amend),
    contents.map((content) => ('replaces' in content ? content.replaces : null)),
    contents.map((content) => content.time),
  ])
  const references = candidates.flatMap((candidate) =>
    vmFiles(vmContent(candidate))
      .filter((file) => file.guarded)
      .map((file) => [candidate.envelope.item_hash, file.ref] as const),
  )
  await tx.query(
    `insert into vm_references (vm_hash, ref) select distinct * from unnest($1::text[], $2::text[]) as t(vm_hash, ref)`,
    [references.map(([vm]) => vm), references.map(([, ref]) => ref)],
  )
}

/** Whether a VM runs for ever rather than on demand. */
export function isPersistent(content: VmContent): boolean {
  return 'on' in content ? content.on.persistent : true
}

/**
 * Removes VMs; an original takes its updates with it.
 *
 * @returns hashes of the updates that went along
 */
export async function removeVms(tx: pg.PoolClient, hashes: string[]): Promise<string[]> {
  const { rows } = await tx.query<{ item_hash: string }>(
    'delete from vms where item_hash = any($1) or replaces = any($1) returning item_hash',
    [hashes],
  )
  const named = new Set(hashes)
  return rows.map((row) => row.item_hash).filter((hash) => !named.has(hash))
}
