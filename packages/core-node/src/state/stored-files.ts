import type pg from 'pg'
import { type Candidate, contentOf, hashOf, ownerOf } from '../pipeline/candidate.ts'
import type { Span } from '../pipeline/span.ts'
import { fileTag } from './files.ts'

/** The file of a STORE message, as VMs find it. */
export interface StoredFile extends Span {
  item_hash: string
  owner: string
  tag: string
  is_revision: boolean
  file_hash: string
  size: number
  created: number
  suspended: boolean
}

/** The files of STORE messages and all their revisions, by the hashes of the messages. */
export async function loadStoredFiles(tx: pg.PoolClient, names: string[]): Promise<StoredFile[]> {
  if (names.length === 0) return []
  const { rows } = await tx.query<Omit<StoredFile, 'size'> & { size: bigint }>({
    name: 'load-stored-files',
    text: `select * from stored_files where item_hash = any($1)
           union select * from stored_files where tag = any($1)`,
    values: [[...new Set(names)]],
  })
  return rows.map((row) => ({ ...row, size: Number(row.size) }))
}

export async function insertStoredFiles(tx: pg.PoolClient, candidates: Candidate[]): Promise<void> {
  const contents = candidates.map((candidate) => contentOf(candidate, 'STORE'))
  await tx.query({
    name: 'insert-stored-files',
    text: `insert into stored_files (item_hash, owner, tag, is_revision, file_hash, size, created, place)
           select * from unnest($1::text[], $2::text[], $3::text[], $4::bool[], $5::text[], $6::bigint[], $7::float8[], $8::text[])
           on conflict (item_hash) do update set place = excluded.place, until = null`,
    values: [
      candidates.map(hashOf),
      candidates.map(ownerOf),
      candidates.map((candidate, index) =>
        fileTag(ownerOf(candidate), hashOf(candidate), contents[index]!.ref),
      ),
      contents.map((content) => Boolean(content.ref)),
      contents.map((content) => content.item_hash),
      candidates.map((candidate) => candidate.fileSize),
      contents.map((content) => content.time),
      candidates.map((candidate) => candidate.place),
    ],
  })
}
