import type pg from 'pg'
import { type Candidate, hashOf, ownerOf } from '../pipeline/candidate.ts'
import type { Span } from '../pipeline/span.ts'
import { vmContent, vmFiles } from '../pipeline/vm-files.ts'

/** A VM, or a later version of one. */
export interface VmVersion extends Span {
  item_hash: string
  owner: string
  replaces: string | null
  allow_amend: boolean
  created: number
}

/** VMs and all their versions, by the hashes of the originals. */
export async function loadVmVersions(tx: pg.PoolClient, hashes: string[]): Promise<VmVersion[]> {
  if (hashes.length === 0) return []
  const { rows } = await tx.query<VmVersion>(
    `select * from vm_versions where item_hash = any($1) union select * from vm_versions where replaces = any($1)`,
    [hashes],
  )
  return rows
}

/** Remembers VMs and the files they use. */
export async function insertVmVersions(tx: pg.PoolClient, candidates: Candidate[]): Promise<void> {
  const contents = candidates.map(vmContent)
  await tx.query(
    `insert into vm_versions (item_hash, owner, replaces, allow_amend, created, place)
     select * from unnest($1::text[], $2::text[], $3::text[], $4::bool[], $5::float8[], $6::text[])
     on conflict (item_hash) do update set place = excluded.place, until = null`,
    [
      candidates.map(hashOf),
      candidates.map(ownerOf),
      contents.map((content) => content.replaces ?? null),
      contents.map((content) => content.allow_amend),
      contents.map((content) => content.time),
      candidates.map((candidate) => candidate.place),
    ],
  )
  const uses = candidates.flatMap((candidate) =>
    [
      ...new Set(
        vmFiles(vmContent(candidate))
          .filter((file) => file.guarded)
          .map((file) => file.ref),
      ),
    ].map((ref) => ({ vm: hashOf(candidate), ref, place: candidate.place })),
  )
  await tx.query(
    `insert into file_uses (vm_hash, ref, place) select * from unnest($1::text[], $2::text[], $3::text[])
     on conflict (ref, vm_hash) do update set place = excluded.place, until = null`,
    [uses.map((use) => use.vm), uses.map((use) => use.ref), uses.map((use) => use.place)],
  )
}
