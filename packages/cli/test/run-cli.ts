import { spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'

/** Shared by all runs, so that only the first compiles the tool. */
const cache = fileURLToPath(new URL('../../../node_modules/.cache', import.meta.url))
const bin = fileURLToPath(new URL('../bin/aleph.mjs', import.meta.url))

export interface CliResult {
  code: number | null
  stdout: string
  stderr: string
  /** Standard output as the one JSON document it must be. */
  json: <T = Record<string, unknown>>() => T
}

export interface CliOptions {
  env?: Record<string, string>
  input?: string
  cwd?: string
  /** Gets a function that interrupts the tool as Ctrl-C does. */
  onStart?: (interrupt: () => void) => void
}

/** A user of the tool: a home of their own, and nothing else of this machine. */
export class CliUser implements AsyncDisposable {
  readonly folder: string
  readonly home: string

  private constructor(folder: string) {
    this.folder = folder
    this.home = join(folder, 'home')
  }

  static async create(): Promise<CliUser> {
    return new CliUser(await mkdtemp(join(tmpdir(), 'aleph-cli-')))
  }

  /** Starts the tool as a process of its own and waits for its end. */
  async run(args: readonly string[], options: CliOptions = {}): Promise<CliResult> {
    const child = spawn(process.execPath, [bin, ...args], {
      cwd: options.cwd ?? this.folder,
      env: { PATH: process.env.PATH, ALEPH_HOME: this.home, XDG_CACHE_HOME: cache, ...options.env },
    })
    options.onStart?.(() => child.kill('SIGINT'))
    child.stdin.end(options.input ?? '')
    const ended = new Promise<number | null>((resolve) => child.once('close', resolve))
    const [stdout, stderr, code] = await Promise.all([text(child.stdout), text(child.stderr), ended])
    return { code, stdout, stderr, json: () => JSON.parse(stdout) }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.folder, { recursive: true, force: true })
  }
}
