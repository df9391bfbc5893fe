import { type ChildProcess, spawn } from 'node:child_process'
import { EventEmitter } from 'node:events'
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs'
import { dirname } from 'node:path'
import process from 'node:process'
import { createInterface } from 'node:readline'

export interface ServiceOptions {
  /** Shown to people: `core-1`, `compute-2`. */
  name: string
  /** The TypeScript file to run. */
  script: string
  env: Record<string, string>
  /** Gets everything the service writes to standard error. */
  logFile: string
  /** How long the service may take to say that it is ready, milliseconds. */
  readyTimeoutMs: number
}

const stopTimeoutMs = 30_000
const restartDelaysMs = [500, 1_000, 2_000, 5_000, 10_000]
const logTailLines = 15

/**
 * One node of the network as a process of its own. The service prints one JSON line with `"ready": true`
 * on standard output once it serves; a service that dies without being asked to is started again.
 *
 * Events: `died` (reason), `restarted`.
 */
export class ServiceProcess<Ready extends { ready: true }> extends EventEmitter<{
  died: [string]
  restarted: []
}> {
  readonly name: string
  readonly #options: ServiceOptions
  #child: ChildProcess | undefined
  #stopping = false
  #failures = 0

  constructor(options: ServiceOptions) {
    super()
    this.name = options.name
    this.#options = options
  }

  get pid(): number | undefined {
    return this.#child?.pid
  }

  async start(): Promise<Ready> {
    this.#stopping = false
    const child = this.#spawn()
    this.#child = child
    const ready = await this.#waitUntilReady(child)
    child.once('exit', (code, signal) => this.#onExit(child, code, signal))
    return ready
  }

  /** Asks the service to stop and waits for it; ends it by force when it does not. */
  async stop(): Promise<void> {
    this.#stopping = true
    const child = this.#child
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()))
    child.kill('SIGTERM')
    const force = setTimeout(() => child.kill('SIGKILL'), stopTimeoutMs)
    await exited
    clearTimeout(force)
  }

  #spawn(): ChildProcess {
    mkdirSync(dirname(this.#options.logFile), { recursive: true })
    const log = openSync(this.#options.logFile, 'a')
    try {
      return spawn(process.execPath, [this.#options.script], {
        env: { ...process.env, ...this.#options.env },
        stdio: ['ignore', 'pipe', log],
        // A Ctrl-C in the terminal goes to the whole process group: the devnet alone decides the order of stopping.
        detached: true,
      })
    } finally {
      closeSync(log)
    }
  }

  #waitUntilReady(child: ChildProcess): Promise<Ready> {
    return new Promise((resolve, reject) => {
      const fail = (why: string) => {
        clearTimeout(timer)
        child.kill('SIGKILL')
        reject(new ServiceStartError(this.name, why, this.#options.logFile))
      }
      const timer = setTimeout(() => fail('was not ready in time'), this.#options.readyTimeoutMs)
      const onExit = (code: number | null, signal: string | null) =>
        fail(`ended (${signal ?? `exit code ${code}`})`)
      child.once('exit', onExit)
      child.once('error', (error) => fail(error.message))
      createInterface({ input: child.stdout! }).on('line', (line) => {
        const message = parseReadyLine<Ready>(line)
        if (message === undefined) return
        clearTimeout(timer)
        child.off('exit', onExit)
        resolve(message)
      })
    })
  }

  #onExit(child: ChildProcess, code: number | null, signal: string | null): void {
    if (this.#stopping || child !== this.#child) return
    this.emit('died', signal ?? `exit code ${code}`)
    const delay = restartDelaysMs[Math.min(this.#failures++, restartDelaysMs.length - 1)]
    setTimeout(() => void this.#restart(), delay)
  }

  async #restart(): Promise<void> {
    if (this.#stopping) return
    try {
      await this.start()
      this.#failures = 0
      this.emit('restarted')
    } catch (error) {
      if (!this.#stopping) this.#onExit(this.#child!, null, (error as Error).message)
    }
  }
}

export class ServiceStartError extends Error {
  readonly code = 'service_start'

  constructor(name: string, why: string, logFile: string) {
    super(`${name} ${why}. Its last words (${logFile}):\n${tail(logFile)}`)
  }
}

function tail(file: string): string {
  const lines = readFileSync(file, 'utf8').trimEnd().split('\n').slice(-logTailLines)
  return lines.map((line) => `    ${line}`).join('\n')
}

function parseReadyLine<Ready>(line: string): Ready | undefined {
  if (!line.startsWith('{')) return undefined
  const message = JSON.parse(line) as { ready?: unknown }
  return message.ready === true ? (message as Ready) : undefined
}
