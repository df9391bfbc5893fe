import { isItemHash } from '@aleph-ts/protocol'
import type pg from 'pg'
import { type Candidate, contentOf, ownerOf } from '../pipeline/candidate.ts'
import type { FileStat } from '../storage/file-store.ts'

/** How long a file stays that no message claims (any more), seconds (protocol 02 §10.1). */
export const graceSeconds = 24 * 3600
/** … and one that was uploaded with a message that was refused. */
const refusedGraceSeconds = 10 * 60

/** The name under which the newest revision of a file is found (protocol 02 §10.4). */
export function fileTag(owner: string, itemHash: string, ref: string | null | undefined): string {
  if (!ref) return itemHash
  return isItemHash(ref) ? ref : `${owner}/${ref}`
}

/** Records files that are in the file store. */
export async function insertFiles(
  tx: pg.PoolClient | pg.Pool,
  files: { hash: string; size: number; type?: FileStat['type'] }[],
): Promise<void> {
  await tx.query({
    name: 'insert-files',
    text: `insert into files (hash, size, type)
           select distinct on (hash) hash, size, type from unnest($1::text[], $2::bigint[], $3::text[]) as t(hash, size, type)
           on conflict (hash) do nothing`,
    values: [
      files.map((file) => file.hash),
      files.map((file) => file.size),
      files.map((file) => file.type ?? 'file'),
    ],
  })
}

/** Pins the files of STORE messages and moves their tags; the rows in `files` exist already. */
export async function insertStores(tx: pg.PoolClient, candidates: Candidate[]): Promise<void> {
  const contents = candidates.map((candidate) => contentOf(candidate, 'STORE'))
  const tags = candidates.map((candidate, index) =>
    fileTag(ownerOf(candidate), candidate.envelope.item_hash, contents[index]!.ref),
  )
  await tx.query({
    name: 'insert-message-pins',
    text: `insert into file_pins (file_hash, type, owner, item_hash, ref, tag, created)
           select file_hash, 'message', owner, item_hash, ref, tag, created
           from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::float8[])
             as t(file_hash, owner, item_hash, ref, tag, created)`,
    values: [
      contents.map((content) => content.item_hash),
      candidates.map(ownerOf),
      candidates.map((candidate) => candidate.envelope.item_hash),
      contents.map((content) => content.ref ?? null),
      tags,
      contents.map((content) => content.time),
    ],
  })
  await refreshTags(tx, tags)
}

/** Keeps the content of non-inline messages as files of their senders. */
export async function pinContents(tx: pg.PoolClient, candidates: Candidate[]): Promise<void> {
  const hashes = candidates.map((candidate) => candidate.envelope.item_hash)
  await insertFiles(
    tx,
    candidates.map((candidate) => ({
      hash: candidate.envelope.item_hash,
      size: candidate.fetchedContent!.bytes,
    })),
  )
  await tx.query(
    `insert into file_pins (file_hash, type, owner, item_hash, created)
     select item_hash, 'content', sender, item_hash, created
     from unnest($1::text[], $2::text[], $3::float8[]) as t(item_hash, sender, created)
     on conflict (item_hash, type) do nothing`,
    [
      hashes,
      candidates.map((candidate) => candidate.envelope.sender),
      candidates.map((candidate) => candidate.parsed!.content.time),
    ],
  )
}

/** Releases the files of forgotten STORE messages; a file without any pin left is kept for a while. */
export async function removeStores(tx: pg.PoolClient, hashes: string[]): Promise<void> {
  const { rows } = await tx.query<{ file_hash: string; tag: string | null }>(
    'delete from file_pins where item_hash = any($1) returning file_hash, tag',
    [hashes],
  )
  await refreshTags(
    tx,
    rows.flatMap((row) => row.tag ?? []),
  )
  await tx.query(
    `insert into file_pins (file_hash, type, created, delete_by)
     select distinct released.hash, 'grace_period', extract(epoch from now()), now() + make_interval(secs => $2)
     from unnest($1::text[]) as released(hash)
     where not exists (select from file_pins p where p.file_hash = released.hash)`,
    [rows.map((row) => row.file_hash), graceSeconds],
  )
}

/**
 * Records an uploaded file, which goes after the grace period unless a STORE message claims it.
 *
 * @returns whether nothing had kept the file until now
 */
export async function recordUpload(
  pool: pg.Pool,
  file: { hash: string; size: number; type?: FileStat['type'] },
): Promise<boolean> {
  const { rows } = await pool.query<{ was_kept: boolean }>(
    `with file as (
       insert into files (hash, size, type) values ($1, $2, $4)
       on conflict (hash) do update set size = excluded.size, type = excluded.type
       returning hash
     ), pin as (
       insert into file_pins (file_hash, type, created, delete_by)
       select hash, 'grace_period', extract(epoch from now()), now() + make_interval(secs => $3) from file
       on conflict (file_hash) where type = 'grace_period' and item_hash is null
       do update set delete_by = excluded.delete_by
     )
     select exists (select from file_pins where file_hash = $1) as was_kept`,
    [file.hash, file.size, graceSeconds, file.type ?? 'file'],
  )
  return !rows[0]!.was_kept
}

/** An upload whose message was refused goes soon, but not before its sender could try again. */
export async function shortenGrace(pool: pg.Pool, hash: string): Promise<void> {
  await pool.query(
    `update file_pins set delete_by = now() + make_interval(secs => $2)
     where file_hash = $1 and type = 'grace_period' and item_hash is null`,
    [hash, refusedGraceSeconds],
  )
}

/** Forgets files that only pins kept whose time is over, and returns their hashes: their bytes go next. */
export async function dropExpiredFiles(tx: pg.PoolClient, now: Date): Promise<string[]> {
  const { rows } = await tx.query<{ file_hash: string }>(
    'delete from file_pins where delete_by < $1 returning file_hash',
    [now],
  )
  const dropped = await tx.query<{ hash: string }>(
    `delete from files f where hash = any($1)
     and not exists (select from file_pins p where p.file_hash = f.hash) returning hash`,
    [rows.map((row) => row.file_hash)],
  )
  return dropped.rows.map((row) => row.hash)
}

/** Forgets pins whose time is over and files that nothing pins any more; their bytes go after their rows. */
export async function dropUnpinnedFiles(tx: pg.PoolClient, now: Date): Promise<void> {
  await tx.query('delete from file_pins where delete_by < $1', [now])
  await tx.query(`delete from files f where not exists (select from file_pins p where p.file_hash = f.hash)`)
}

/** Those of the hashes that are files of the state. */
export async function knownFiles(pool: pg.Pool, hashes: string[]): Promise<Set<string>> {
  const { rows } = await pool.query<{ hash: string }>('select hash from files where hash = any($1)', [hashes])
  return new Set(rows.map((row) => row.hash))
}

/** A reference of a VM to a file: by the newest revision of a name, or by the exact message. */
export interface FileReference {
  ref: string
  use_latest: boolean
}

/** What references lead to, by {@link referenceKey}; unknown ones are absent. */
export async function resolveReferences(
  tx: pg.PoolClient | pg.Pool,
  references: FileReference[],
): Promise<Map<string, { hash: string; size: number }>> {
  const { rows } = await tx.query<{ ref: string; use_latest: boolean; hash: string; size: bigint }>(
    `select r.ref, r.use_latest, f.hash, f.size
     from unnest($1::text[], $2::bool[]) as r(ref, use_latest)
     join lateral (
       select file_hash from file_tags where r.use_latest and tag = r.ref
       union all
       select file_hash from file_pins where not r.use_latest and type = 'message' and item_hash = r.ref
     ) target on true
     join files f on f.hash = target.file_hash`,
    [references.map((reference) => reference.ref), references.map((reference) => reference.use_latest)],
  )
  return new Map(rows.map((row) => [referenceKey(row), { hash: row.hash, size: Number(row.size) }]))
}

export function referenceKey(reference: FileReference): string {
  return `${reference.use_latest ? 'latest' : 'exact'}:${reference.ref}`
}

/** The newest revision wins, equal times by hash; a name without revisions disappears. */
export async function refreshTags(tx: pg.PoolClient, tags: string[]): Promise<void> {
  if (tags.length === 0) return
  const distinct = [...new Set(tags)]
  await tx.query({
    name: 'refresh-tags',
    text: `insert into file_tags (tag, owner, file_hash, last_updated, item_hash)
           select distinct on (tag) tag, owner, file_hash, created, item_hash from file_pins
           where type = 'message' and tag = any($1) order by tag, created desc, item_hash desc
           on conflict (tag) do update set owner = excluded.owner, file_hash = excluded.file_hash,
             last_updated = excluded.last_updated, item_hash = excluded.item_hash`,
    values: [distinct],
  })
  await tx.query({
    name: 'drop-tags',
    text: `delete from file_tags t where t.tag = any($1)
           and not exists (select from file_pins p where p.type = 'message' and p.tag = t.tag)`,
    values: [distinct],
  })
}
