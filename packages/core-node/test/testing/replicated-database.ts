import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import pg from 'pg'
import { EmbeddedDatabase } from '../../src/database/embedded-postgres.ts'

/** What a server needs to stream what it writes to another one. */
const streaming = { wal_level: 'replica', max_wal_senders: '2', wal_keep_size: '64MB' }

/** A PostgreSQL server and another one that follows it by streaming replication, gone when it is disposed of. */
export class ReplicatedDatabase implements AsyncDisposable {
  readonly primary: EmbeddedDatabase
  readonly standby: EmbeddedDatabase
  readonly #folder: string

  private constructor(primary: EmbeddedDatabase, standby: EmbeddedDatabase, folder: string) {
    this.primary = primary
    this.standby = standby
    this.#folder = folder
  }

  static async start(): Promise<ReplicatedDatabase> {
    const folder = await mkdtemp(join(tmpdir(), 'aleph-standby-'))
    const [first, second] = [join(folder, 'a'), join(folder, 'b')]
    const primary = await EmbeddedDatabase.create({ dataDir: first, settings: streaming })
    await primary.start()
    await copyCluster(primary, join(first, 'postgres', 'data'), join(second, 'postgres', 'data'))
    const host = new URL(primary.connectionString).searchParams.get('host')
    const settings = { ...streaming, primary_conninfo: `host=${host} user=aleph` }
    const standby = await EmbeddedDatabase.create({ dataDir: second, settings })
    await standby.start()
    return new ReplicatedDatabase(primary, standby, folder)
  }

  /** The standby still receives what the primary writes, but does not show it. */
  async pauseReplay(): Promise<void> {
    await query(this.standby, 'select pg_wal_replay_pause()')
  }

  async resumeReplay(): Promise<void> {
    await query(this.standby, 'select pg_wal_replay_resume()')
  }

  /** Resolves when the standby shows everything that the primary has written until now. */
  async caughtUp(): Promise<void> {
    const [place] = await query<{ lsn: string }>(this.primary, 'select pg_current_wal_lsn()::text as lsn')
    const reached = `select pg_last_wal_replay_lsn() >= '${place!.lsn}' as reached`
    while (!(await query<{ reached: boolean }>(this.standby, reached))[0]!.reached) {
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.standby.stop()
    await this.primary.stop()
    await rm(this.#folder, { recursive: true, force: true })
  }
}

/** What `pg_basebackup` does, which the embedded binaries lack: a copy of the files of a running server. */
async function copyCluster(server: EmbeddedDatabase, from: string, to: string): Promise<void> {
  const client = new pg.Client({ connectionString: server.connectionString })
  await client.connect()
  try {
    await client.query(`select pg_backup_start('standby', fast => true)`)
    await mkdir(join(to, '..'), { recursive: true })
    // Owner and all: as root, the server runs as another user.
    await promisify(execFile)('cp', ['-a', from, to])
    const { rows } = await client.query<{ labelfile: string }>(
      'select labelfile from pg_backup_stop(wait_for_archive => false)',
    )
    await rm(join(to, 'postmaster.pid'))
    await writeFile(join(to, 'backup_label'), rows[0]!.labelfile)
    await writeFile(join(to, 'standby.signal'), '')
    await promisify(execFile)('chown', [
      '--reference',
      from,
      join(to, 'backup_label'),
      join(to, 'standby.signal'),
    ])
  } finally {
    await client.end()
  }
}

async function query<Row>(server: EmbeddedDatabase, text: string): Promise<Row[]> {
  const client = new pg.Client({ connectionString: server.connectionString })
  await client.connect()
  try {
    return (await client.query(text)).rows as Row[]
  } finally {
    await client.end()
  }
}
