import { type ChildProcess, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { access, chmod, chown, mkdir, readFile, rename, rm } from 'node:fs/promises'
import { tmpdir, totalmem } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import type { Logger } from 'pino'
import { locatePostgres, type PostgresRunner, runnerFor } from './postgres-binaries.ts'

/** The database server could not be brought up; the message carries its last words. */
export class DatabaseStartError extends Error {
  readonly code = 'database_start_failed'
}

/**
 * Durable first (an acknowledged message must survive a power cut), then fast: no replication, no JIT for our
 * short statements, few checkpoints.
 */
const defaultSettings = {
  listen_addresses: '',
  max_connections: '40',
  shared_buffers: `${sharedBuffersMib(totalmem())}MB`,
  synchronous_commit: 'on',
  fsync: 'on',
  wal_level: 'minimal',
  max_wal_senders: '0',
  max_wal_size: '1GB',
  checkpoint_timeout: '15min',
  jit: 'off',
  max_parallel_workers_per_gather: '0',
  log_min_messages: 'warning',
  timezone: 'UTC',
}

/** Enough for the indexes of a million messages on a server, little on a laptop that runs seven nodes. */
function sharedBuffersMib(memoryBytes: number): number {
  return Math.min(1024, Math.max(128, Math.floor(memoryBytes / 32 / 2 ** 20)))
}

const user = 'aleph'
/** Longest path the kernel accepts for a unix socket, minus PostgreSQL's own file name. */
const longestSocketFolder = 85
const startTimeoutMs = 60_000

/**
 * A PostgreSQL server of our own, in a folder, reachable through a unix socket that only this user can open.
 * It is started again when it dies, and it ends with us even when we are killed (Linux).
 */
export class EmbeddedDatabase {
  readonly connectionString: string
  readonly #folder: string
  readonly #socketFolder: string
  readonly #settings: Record<string, string>
  readonly #logger: Logger | undefined
  #runner: PostgresRunner | undefined
  #child: ChildProcess | undefined
  #lastWords: string[] = []
  #stopping = false
  #restarting: Promise<void> | undefined

  private constructor(
    folder: string,
    socketFolder: string,
    { settings, logger }: { settings?: Record<string, string>; logger?: Logger },
  ) {
    this.#folder = folder
    this.#socketFolder = socketFolder
    this.#settings = { ...defaultSettings, ...settings, unix_socket_directories: socketFolder }
    this.#logger = logger
    this.connectionString = `postgresql://${user}@localhost/postgres?host=${encodeURIComponent(socketFolder)}`
  }

  /**
   * @param options.dataDir folder of the node; the cluster lives in its `postgres` subfolder
   * @param options.settings of the server, instead of or beside ours
   */
  static async create(options: {
    dataDir: string
    settings?: Record<string, string>
    logger?: Logger
  }): Promise<EmbeddedDatabase> {
    const folder = resolve(options.dataDir, 'postgres')
    const inside = join(folder, 'run')
    const digest = createHash('sha256').update(folder).digest('hex').slice(0, 16)
    const socketFolder = inside.length <= longestSocketFolder ? inside : join(tmpdir(), `aleph-pg-${digest}`)
    return new EmbeddedDatabase(folder, socketFolder, options)
  }

  /**
   * Creates the cluster when there is none, ends a server left over from a killed process, and starts ours.
   *
   * @returns the connection string
   * @throws {DatabaseStartError}
   */
  async start(): Promise<string> {
    this.#stopping = false
    const binaries = await locatePostgres()
    await mkdir(this.#folder, { recursive: true, mode: 0o700 })
    this.#runner = await runnerFor(binaries, this.#folder)
    for (const folder of new Set([this.#folder, this.#socketFolder])) {
      await mkdir(folder, { recursive: true, mode: 0o700 })
      await this.#own(folder)
    }
    await this.#initialise()
    await this.#endLeftover()
    await this.#launch()
    return this.connectionString
  }

  /** Ends the server cleanly; resolves when its process is gone. */
  async stop(): Promise<void> {
    this.#stopping = true
    await this.#restarting?.catch(() => {})
    const child = this.#child
    this.#child = undefined
    if (child && child.exitCode === null && child.signalCode === null) {
      const gone = new Promise((done) => child.once('exit', done))
      child.kill('SIGINT')
      const impatient = setTimeout(() => child.kill('SIGQUIT'), 15_000)
      await gone
      clearTimeout(impatient)
    }
    if (!this.#socketFolder.startsWith(this.#folder))
      await rm(this.#socketFolder, { recursive: true, force: true })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }

  /** Process id of the server, for tests that kill it. */
  get pid(): number | undefined {
    return this.#child?.pid
  }

  get #cluster(): string {
    return join(this.#folder, 'data')
  }

  async #own(folder: string): Promise<void> {
    await chmod(folder, 0o700)
    const owner = this.#runner?.owner
    if (owner) await chown(folder, owner.uid, owner.gid)
  }

  async #initialise(): Promise<void> {
    if (await exists(join(this.#cluster, 'PG_VERSION'))) return
    // A first start that was cut short leaves half a cluster; nothing was ever acknowledged from it.
    const draft = `${this.#cluster}.new`
    await rm(draft, { recursive: true, force: true })
    const child = this.#spawn('initdb', [
      `--pgdata=${draft}`,
      `--username=${user}`,
      '--auth=trust',
      '--encoding=UTF8',
      '--locale=C',
      '--no-instructions',
    ])
    const code = await new Promise<number | null>((done, fail) => {
      child.once('error', fail)
      child.once('close', done)
    })
    if (code !== 0) throw this.#startError(`initdb ended with code ${code}`)
    await rename(draft, this.#cluster)
  }

  /** A server that survived the kill of its node holds the lock file: end it before starting ours. */
  async #endLeftover(): Promise<void> {
    const lock = join(this.#cluster, 'postmaster.pid')
    const text = await readFile(lock, 'utf8').catch(() => undefined)
    const pid = Number.parseInt(text ?? '', 10)
    if (!Number.isInteger(pid)) return
    const commandLine = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')
    if (!commandLine.includes(this.#cluster)) {
      await rm(lock, { force: true })
      return
    }
    this.#logger?.info({ pid }, 'ending a PostgreSQL server left over from an earlier run')
    for (const [signal, patienceMs] of [
      ['SIGINT', 15_000],
      ['SIGQUIT', 10_000],
    ] as const) {
      tryKill(pid, signal)
      for (let waited = 0; waited < patienceMs; waited += 50) {
        if (!isAlive(pid)) return
        await sleep(50)
      }
    }
    throw new DatabaseStartError(
      `A PostgreSQL server (process ${pid}) of an earlier run does not end; end it by hand`,
    )
  }

  async #launch(): Promise<void> {
    const child = this.#spawn('postgres', [
      '-D',
      this.#cluster,
      ...Object.entries(this.#settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
    ])
    this.#child = child
    let failure: Error | undefined
    child.once('error', (error) => {
      failure = error
    })
    child.once('exit', (code, signal) => {
      failure ??= this.#startError(`PostgreSQL ended (${signal ?? `code ${code}`})`)
      if (this.#child === child && !this.#stopping && !this.#restarting) this.#restart(code, signal)
    })
    const deadline = Date.now() + startTimeoutMs
    while (!(await this.#answers())) {
      if (failure) throw failure
      if (Date.now() > deadline) throw this.#startError('PostgreSQL does not answer')
      await sleep(25)
    }
  }

  #restart(code: number | null, signal: NodeJS.Signals | null): void {
    this.#logger?.error({ code, signal }, 'PostgreSQL ended by itself; starting it again')
    const attempt = async () => {
      for (let delayMs = 100; !this.#stopping; delayMs = Math.min(delayMs * 2, 10_000)) {
        try {
          await this.#endLeftover()
          await this.#launch()
          this.#logger?.info('PostgreSQL is back')
          return
        } catch (error) {
          this.#logger?.error({ err: error }, 'PostgreSQL does not start')
          await sleep(delayMs)
        }
      }
    }
    this.#restarting = attempt().finally(() => {
      this.#restarting = undefined
    })
  }

  #spawn(program: 'initdb' | 'postgres', args: string[]): ChildProcess {
    if (!this.#runner) throw new DatabaseStartError('The database was not prepared; call start()')
    const { command, args: prefix, options } = this.#runner.command(program)
    const child = spawn(command, [...prefix, ...args], {
      ...options,
      cwd: '/',
      env: { PATH: process.env.PATH, LC_ALL: 'C', TZ: 'UTC' },
      stdio: ['ignore', 'pipe', 'pipe'],
      // Ctrl-C in a terminal reaches the whole group: the node decides when its database ends.
      detached: program === 'postgres',
    })
    this.#lastWords = []
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.#lastWords = [...this.#lastWords, ...text.split('\n').filter(Boolean)].slice(-20)
        this.#logger?.debug({ postgres: text.trim() })
      })
    }
    return child
  }

  async #answers(): Promise<boolean> {
    const client = new pg.Client({ connectionString: this.connectionString, connectionTimeoutMillis: 2000 })
    client.on('error', () => {})
    try {
      await client.connect()
      await client.query('select 1')
      return true
    } catch {
      return false
    } finally {
      await client.end().catch(() => {})
    }
  }

  #startError(what: string): DatabaseStartError {
    return new DatabaseStartError([what, ...this.#lastWords].join('\n'))
  }
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}

function isAlive(pid: number): boolean {
  return tryKill(pid, 0)
}

function tryKill(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, signal)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
