import { type ErrorName, isItemHash, ProtocolError } from '@aleph-ts/protocol'
import type pg from 'pg'
import { referenceKey, resolveReferences } from '../state/files.ts'
import { amendedPost } from '../state/posts.ts'
import { isVmMessage, vmContent, vmFiles } from '../state/vms.ts'
import { alive, type Candidate, contentOf, fail, isOfType, ownerOf } from './candidate.ts'
import { resolveForgets } from './resolve-forgets.ts'

const bytesPerMib = 1024 * 1024

/** Step between `authorise` and `price`: what a message builds on must be there (protocol 02 P3). */
export async function resolve(tx: pg.PoolClient, candidates: Candidate[]): Promise<void> {
  await resolveAmends(tx, alive(candidates))
  await resolveStores(tx, alive(candidates))
  await resolveVms(tx, alive(candidates))
  await resolveForgets(
    tx,
    alive(candidates).filter((candidate) => isOfType(candidate, 'FORGET')),
  )
}

async function resolveAmends(tx: pg.PoolClient, candidates: Candidate[]): Promise<void> {
  const amends = candidates.filter(
    (candidate) => isOfType(candidate, 'POST') && amendedPost(contentOf(candidate, 'POST')) !== null,
  )
  if (amends.length === 0) return
  const targets = amends.map((candidate) => amendedPost(contentOf(candidate, 'POST'))!)
  const { rows } = await tx.query<{ item_hash: string; amends: string | null }>(
    'select item_hash, amends from posts where item_hash = any($1)',
    [targets],
  )
  const known = new Map(rows.map((row) => [row.item_hash, row]))
  for (const [index, candidate] of amends.entries()) {
    const target = known.get(targets[index]!)
    if (!target) fail(candidate, new ProtocolError('POST_AMEND_TARGET_NOT_FOUND'), [targets[index]!])
    else if (target.amends !== null) fail(candidate, new ProtocolError('POST_AMEND_AMEND'))
  }
}

async function resolveStores(tx: pg.PoolClient, candidates: Candidate[]): Promise<void> {
  const updates = candidates.filter(
    (candidate) => isOfType(candidate, 'STORE') && isItemHash(contentOf(candidate, 'STORE').ref ?? ''),
  )
  if (updates.length === 0) return
  const refs = updates.map((candidate) => contentOf(candidate, 'STORE').ref!)
  const { rows } = await tx.query<{ item_hash: string; ref: string | null }>(
    `select item_hash, ref from file_pins where type = 'message' and item_hash = any($1)`,
    [refs],
  )
  const known = new Map(rows.map((row) => [row.item_hash, row]))
  for (const [index, candidate] of updates.entries()) {
    const ref = refs[index]!
    const target = known.get(ref)
    if (!target) fail(candidate, new ProtocolError('STORE_REF_NOT_FOUND', { errors: [ref] }), [ref])
    else if (target.ref !== null) fail(candidate, new ProtocolError('STORE_UPDATE_UPDATE'))
  }
}

async function resolveVms(tx: pg.PoolClient, candidates: Candidate[]): Promise<void> {
  const vms = candidates.filter(isVmMessage)
  if (vms.length === 0) return
  const found = await resolveReferences(
    tx,
    vms.flatMap((candidate) => vmFiles(vmContent(candidate))),
  )
  for (const candidate of vms) {
    const files = vmFiles(vmContent(candidate))
    candidate.files = new Map(
      files.flatMap((file) => {
        const target = found.get(referenceKey(file))
        return target ? [[referenceKey(file), target] as const] : []
      }),
    )
    const missing = [
      ...new Set(files.filter((file) => !found.has(referenceKey(file))).map((file) => file.ref)),
    ]
    if (missing.length > 0) {
      fail(candidate, new ProtocolError('VM_VOLUME_NOT_FOUND', { errors: missing }), missing)
      continue
    }
    for (const file of files) {
      const target = found.get(referenceKey(file))!
      if (file.disk && file.disk.sizeMib * bytesPerMib < target.size) {
        const error = {
          volume_name: file.disk.name,
          parent_ref: file.ref,
          parent_file: target.hash,
          parent_size: target.size,
          volume_size: file.disk.sizeMib * bytesPerMib,
        }
        fail(candidate, new ProtocolError('VM_VOLUME_TOO_SMALL', { errors: [error] }))
      }
    }
  }
  await resolveReplacements(tx, alive(vms))
}

/** A VM may replace an original of the same owner that allows it. */
async function resolveReplacements(tx: pg.PoolClient, vms: Candidate[]): Promise<void> {
  for (const candidate of vms) {
    const content = vmContent(candidate)
    const replaces = 'replaces' in content ? content.replaces : null
    if (!replaces) continue
    const { rows } = await tx.query<{ owner: string; replaces: string | null; allow_amend: boolean }>(
      `select original.owner, original.replaces, coalesce(newest.allow_amend, original.allow_amend) as allow_amend
       from vms original left join lateral (
         select allow_amend from vms where replaces = original.item_hash order by created desc, item_hash collate "C" desc limit 1
       ) newest on true
       where original.item_hash = $1`,
      [replaces],
    )
    const [target] = rows
    const refuse = (code: ErrorName, errors?: unknown[]) =>
      fail(candidate, new ProtocolError(code, { errors }))
    if (!target) fail(candidate, new ProtocolError('VM_REF_NOT_FOUND', { errors: [replaces] }), [replaces])
    else if (target.owner !== ownerOf(candidate)) {
      refuse('PERMISSION_DENIED', [`Address ${ownerOf(candidate)} cannot replace a VM of ${target.owner}`])
    } else if (target.replaces !== null) refuse('VM_UPDATE_UPDATE')
    else if (!target.allow_amend) refuse('VM_AMEND_NOT_ALLOWED')
  }
}
