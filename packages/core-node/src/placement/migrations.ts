import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import type { CoreNodeContext } from '../context.ts'
import { askForRefusals } from './capacity-check.ts'
import type { CallAnswer, ComputeNodeCalls } from './compute-node-calls.ts'
import { type MigrationEnd, migrationPaths } from './migration-paths.ts'
import { targetFailed } from './refusals.ts'

export interface Migration {
  vmHash: string
  source: MigrationEnd
  target: MigrationEnd
}

export interface MigrationsOptions {
  calls: ComputeNodeCalls
  logger: CoreNodeContext['logger']
  /** Called when a VM is about to move, has arrived, or was given up. */
  onChange: () => void
  /** Hears why a target does not take a VM; it stays where it is then. */
  onRefused: (refused: { vmHash: string; target: { hash: string } }, code: string) => void
  /** Hears of targets that failed once the VM had left its source, which has it again until there is another target. */
  onFailed: (migration: Migration) => void
  /** Between two looks at how far a node is, ms. */
  pollMs?: number
  /** After a failure, ms; doubled by each that follows. A node moves one instance at a time, so the first is short. */
  firstRetryMs?: number
  lastRetryMs?: number
  /** A target that fails for so long gets no more chances, ms. */
  patienceMs?: number
}

const exportSchema = z.looseObject({
  state: z.enum(['exporting', 'exported', 'export_failed']),
  error: z.string().nullish(),
  disk_files: z.array(z.looseObject({ name: z.string() })).default([]),
  export_token: z.string().nullish(),
})
const importSchema = z.looseObject({
  state: z.enum(['importing', 'imported', 'import_failed']),
  error: z.string().nullish(),
})

const answerMs = 30_000
/** A target that could not import a VM so often, each time after attempts of its own, gets no more chances. */
const mostFailedImports = 2

/** `asking`: the source runs as if nothing were. `moving`: it is stopped there, and not here yet. */
type Phase = 'asking' | 'moving' | 'arrived'

interface Running {
  migration: Migration
  phase: Phase
  /** Epoch ms since when the target has failed whenever it was asked. */
  failingSince: number | undefined
  failedImports: number
  work: Promise<void>
}

/** The target fails, not the source, whose failures are waited out: nobody else has the disks. */
class TargetError extends Error {}

/**
 * Moves instances from our compute nodes with their disks (protocol 06 §7.4): shut down and exported by the one,
 * fetched and started by the other, which another core node may have to be asked for. Both nodes are asked how far they
 * are before anything is begun, so a migration goes on where it was when this node was started anew. Until the VM has
 * arrived its source keeps the disks: a target that fails is given up, another one may fetch them, and if there is none,
 * the VM starts at its source again, once the export is over there.
 */
export class Migrations {
  readonly #options: MigrationsOptions
  readonly #stopping = new AbortController()
  readonly #running = new Map<string, Running>()

  constructor(options: MigrationsOptions) {
    this.#options = options
  }

  /** VMs on their way, those that have arrived included, by hash. */
  get underway(): ReadonlyMap<string, Migration> {
    return new Map([...this.#running].map(([vmHash, { migration }]) => [vmHash, migration]))
  }

  /** VMs that have left their source but not arrived, and those that run at their target now. */
  in(phase: Phase): Migration[] {
    return [...this.#running.values()].flatMap((entry) => (entry.phase === phase ? entry.migration : []))
  }

  begin(migration: Migration): void {
    if (this.#stopping.signal.aborted || this.#running.has(migration.vmHash)) return
    const entry: Running = {
      migration,
      phase: 'asking',
      failingSince: undefined,
      failedImports: 0,
      work: Promise.resolve(),
    }
    this.#running.set(migration.vmHash, entry)
    entry.work = this.#move(entry)
  }

  /** The claim names the target now: what was left at the source may go. */
  finish(vmHash: string): void {
    const entry = this.#running.get(vmHash)
    if (entry?.phase !== 'arrived') return
    entry.work = this.#cleanUp(entry.migration).then(() => {
      this.#running.delete(vmHash)
    })
  }

  /** Lets a migration be that has become pointless: its VM is gone. */
  forget(vmHash: string): void {
    this.#running.delete(vmHash)
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    await Promise.all([...this.#running.values()].map(({ work }) => work))
  }

  async #move(entry: Running): Promise<void> {
    const { logger, onChange, onRefused, firstRetryMs = 2_000, lastRetryMs = 60_000 } = this.#options
    const { signal } = this.#stopping
    const { vmHash, source, target } = entry.migration
    let retryMs = firstRetryMs
    while (!signal.aborted && this.#running.get(vmHash) === entry) {
      try {
        const refusal = await this.#refusal(entry.migration)
        if (refusal !== null) {
          this.#running.delete(vmHash)
          onRefused(entry.migration, refusal)
          return
        }
        entry.phase = 'moving'
        onChange()
        logger.info({ vm: vmHash, from: source.hash, to: target.hash }, 'an instance moves')
        await this.#import(entry, await this.#export(entry.migration))
        entry.phase = 'arrived'
        logger.info({ vm: vmHash, node: target.hash }, 'an instance has arrived')
        onChange()
        return
      } catch (error) {
        if (signal.aborted || this.#isGivenUp(entry, error)) return
        logger.warn(
          { vm: vmHash, reason: (error as Error).message },
          'an instance could not move; trying again',
        )
        await sleep(retryMs, undefined, { signal }).catch(() => undefined)
        retryMs = Math.min(lastRetryMs, retryMs * 2)
      }
    }
  }

  /** Whether a target has failed for too long: the disks are at the source, so another one may fetch them. */
  #isGivenUp(entry: Running, error: unknown): boolean {
    const { logger, onFailed, onRefused, patienceMs = 180_000 } = this.#options
    const { migration, phase, failedImports } = entry
    if (!(error instanceof TargetError) || this.#running.get(migration.vmHash) !== entry) return false
    entry.failingSince ??= Date.now()
    const isPatient = Date.now() - entry.failingSince < patienceMs && failedImports < mostFailedImports
    if (isPatient) return false
    this.#running.delete(migration.vmHash)
    const { vmHash: vm, target } = migration
    logger.warn(
      { vm, target: target.hash, reason: error.message },
      'an instance does not move: its target fails',
    )
    onRefused(migration, targetFailed)
    if (phase === 'moving') onFailed(migration)
    return true
  }

  /** Why the target does not take the VM, unless it is fetching it already. */
  async #refusal({ vmHash, source, target }: Migration): Promise<string | null> {
    const exporting = await this.#status(exportSchema, source.url, exportPath(vmHash))
    const hasLeft = exporting !== undefined && exporting.state !== 'export_failed'
    if (hasLeft && (await this.#importOf(vmHash, target))) return null
    const { calls } = this.#options
    const refusals = await askForRefusals(calls, target, [vmHash], this.#stopping.signal)
    // Our compute nodes are taken at their report; another core node has to give its word.
    if (!refusals && target.prefix !== undefined) return 'insufficient_capacity'
    // It came there once and left again, but the node would take it to be there: its disks would be lost.
    if (!hasLeft && (await this.#importOf(vmHash, target)) === 'imported') return 'unsupported'
    return refusals?.get(vmHash) ?? null
  }

  /** How far a target is; null when it fetches nothing. */
  async #importOf(vmHash: string, target: MigrationEnd): Promise<'importing' | 'imported' | null> {
    const job = await this.#status(importSchema, target.url, importPath(target, vmHash)).catch(asTargets)
    return !job || job.state === 'import_failed' ? null : job.state
  }

  /** @returns what the target has to know of the export */
  async #export({ vmHash, source }: Migration) {
    const begin = `/control/machine/${vmHash}/migration/export`
    const job = await this.#job(exportSchema, source.url, exportPath(vmHash), {
      begin: () => this.#post(source.url, begin, {}),
    })
    if (job.state !== 'exported' || !job.export_token) throw new Error(`export: ${job.error ?? job.state}`)
    return { disk_files: job.disk_files, export_token: job.export_token }
  }

  async #import(entry: Running, exported: object): Promise<void> {
    const { vmHash, source, target } = entry.migration
    const { hostname, port, protocol } = new URL(source.url)
    const source_port = Number(port) || (protocol === 'https:' ? 443 : 80)
    const body = { vm_hash: vmHash, source_host: hostname, source_port, ...exported }
    const job = await this.#job(importSchema, target.url, importPath(target, vmHash), {
      begin: () => this.#post(target.url, (target.prefix ?? '') + migrationPaths.begin, body),
      onProgress: () => {
        entry.failingSince = undefined
      },
    }).catch(asTargets)
    if (job.state === 'imported') return
    entry.failedImports += 1
    throw new TargetError(`import: ${job.error ?? job.state}`)
  }

  /** The end of a job, which is begun unless it is under way or done. */
  async #job<Schema extends z.ZodType<{ state: string }>>(
    schema: Schema,
    url: string,
    statusPath: string,
    { begin, onProgress = () => {} }: { begin: () => Promise<void>; onProgress?: () => void },
  ): Promise<z.output<Schema>> {
    const { pollMs = 1_000 } = this.#options
    let job = await this.#status(schema, url, statusPath)
    if (!job || job.state.endsWith('_failed')) {
      await begin()
      job = undefined
    }
    while (!job || job.state === 'exporting' || job.state === 'importing') {
      if (job) onProgress()
      await sleep(pollMs, undefined, { signal: this.#stopping.signal })
      job = await this.#status(schema, url, statusPath)
      if (!job) throw new Error(`${statusPath}: the node knows of no such job any more`)
    }
    return job
  }

  /** How far a job is; undefined when the node knows of none. */
  async #status<Schema extends z.ZodType>(
    schema: Schema,
    url: string,
    path: string,
  ): Promise<z.output<Schema> | undefined> {
    const answer = await this.#options.calls.get(url, path, { signal: this.#limit() })
    if (answer.status === 404) return undefined
    if (answer.status !== 200) throw refused(path, answer)
    return schema.parse(JSON.parse(answer.text))
  }

  async #cleanUp({ vmHash, source }: Migration): Promise<void> {
    try {
      await this.#post(source.url, `/control/machine/${vmHash}/migration/cleanup`, {})
    } catch (error) {
      // The export ends by itself, and the plan of the node does not name the VM any more.
      const reason = (error as Error).message
      this.#options.logger.warn({ vm: vmHash, reason }, 'what an instance left behind was not removed')
    }
  }

  async #post(url: string, path: string, body: object): Promise<void> {
    const answer = await this.#options.calls.post(url, path, {
      body: JSON.stringify(body),
      signal: this.#limit(),
    })
    if (answer.status < 200 || answer.status > 299) throw refused(path, answer)
  }

  #limit(): AbortSignal {
    return AbortSignal.any([this.#stopping.signal, AbortSignal.timeout(answerMs)])
  }
}

function asTargets(error: Error): never {
  throw new TargetError(error.message, { cause: error })
}

function refused(path: string, { status, text }: CallAnswer): Error {
  return new Error(`${path} answered ${status}: ${text.slice(0, 200)}`)
}

function exportPath(vmHash: string): string {
  return `/control/machine/${vmHash}/migration/export/status`
}

function importPath({ prefix = '' }: MigrationEnd, vmHash: string): string {
  return prefix + migrationPaths.status(vmHash)
}
