import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type pg from 'pg'

/** The database's schema cannot be brought up to date. */
export class MigrationError extends Error {
  readonly code = 'migration_failed'
}

const lockKey = 0x616c6570 // "alep"
const folder = join(import.meta.dirname, 'migrations')

/**
 * All text is compared byte by byte, on every machine alike; and columns of one order only can use each other's
 * indexes.
 */
const byteOrder = `
  do $$
  declare
    text_column record;
    kept_view record;
  begin
    create temporary table kept_views on commit drop as
      select viewname, definition from pg_views where schemaname = current_schema();
    for kept_view in select * from kept_views loop
      execute format('drop view %I', kept_view.viewname);
    end loop;
    for text_column in
      select c.table_name, c.column_name from information_schema.columns c
      join information_schema.tables t using (table_schema, table_name)
      where c.table_schema = current_schema() and t.table_type = 'BASE TABLE'
        and c.data_type = 'text' and c.collation_name is null
    loop
      execute format('alter table %I alter column %I type text collate "C"', text_column.table_name, text_column.column_name);
    end loop;
    for kept_view in select * from kept_views loop
      execute format('create view %I as %s', kept_view.viewname, kept_view.definition);
    end loop;
  end $$`

/**
 * Applies the SQL files of `migrations/` that this database lacks, in the order of their names, each in its own
 * transaction.
 *
 * @returns the names of the files applied now
 * @throws {MigrationError} when a file fails, or was changed after it had been applied
 */
export async function migrate(pool: pg.Pool): Promise<string[]> {
  const client = await pool.connect()
  try {
    await client.query('select pg_advisory_lock($1)', [lockKey])
    await client.query(
      'create table if not exists schema_migrations (name text primary key, sha256 text not null, applied_at timestamptz not null default now())',
    )
    const { rows } = await client.query<{ name: string; sha256: string }>(
      'select name, sha256 from schema_migrations',
    )
    const known = new Map(rows.map((row) => [row.name, row.sha256]))
    const applied: string[] = []
    for (const name of await migrationNames()) {
      const text = await readFile(join(folder, name), 'utf8')
      const sha256 = createHash('sha256').update(text).digest('hex')
      const before = known.get(name)
      if (before === sha256) continue
      if (before)
        throw new MigrationError(`Migration ${name} was changed after it had been applied; add a new file`)
      await apply(client, name, text, sha256)
      applied.push(name)
    }
    if (applied.length > 0) await client.query(byteOrder)
    return applied
  } finally {
    await client.query('select pg_advisory_unlock($1)', [lockKey]).catch(() => {})
    client.release()
  }
}

/** An API process starts at about the same time as the one that migrates. */
const migrationPatienceMs = 60_000

/**
 * Resolves when another process has applied all migrations.
 *
 * @throws {MigrationError} when none does
 */
export async function schemaIsCurrent(pool: pg.Pool): Promise<void> {
  const wanted = await migrationNames()
  for (const deadline = Date.now() + migrationPatienceMs; ; await sleep(200)) {
    const applied = await appliedMigrations(pool)
    const missing = wanted.filter((name) => !applied.has(name))
    if (missing.length === 0) return
    if (Date.now() > deadline) {
      throw new MigrationError(
        `The database lacks ${missing.join(', ')}: start this node's process with role "process" or "all"`,
      )
    }
  }
}

async function appliedMigrations(pool: pg.Pool): Promise<Set<string>> {
  const { rows: tables } = await pool.query<{ known: boolean }>(
    `select to_regclass('schema_migrations') is not null as known`,
  )
  if (!tables[0]!.known) return new Set()
  const { rows } = await pool.query<{ name: string }>('select name from schema_migrations')
  return new Set(rows.map((row) => row.name))
}

/** The files of `migrations/`, in the order in which they are applied. */
export async function migrationNames(): Promise<string[]> {
  return (await readdir(folder)).filter((file) => file.endsWith('.sql')).sort()
}

async function apply(client: pg.PoolClient, name: string, text: string, sha256: string): Promise<void> {
  try {
    await client.query('begin')
    await client.query(text)
    await client.query('insert into schema_migrations (name, sha256) values ($1, $2)', [name, sha256])
    await client.query('commit')
  } catch (error) {
    await client.query('rollback')
    throw new MigrationError(`Migration ${name} failed: ${(error as Error).message}`, { cause: error })
  }
}
