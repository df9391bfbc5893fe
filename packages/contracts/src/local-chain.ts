import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { mkdir, open, rename, stat } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { gunzip } from 'node:zlib'
import { findAnvilBinary } from './anvil-binary.ts'
import { type DevAccount, devAccounts, devMnemonic } from './dev-accounts.ts'

export { type DevAccount, devAccounts }

const startTimeoutMs = 30_000
const stopTimeoutMs = 5_000
const maxLogCharacters = 16_384
const inflate = promisify(gunzip)
const run = promisify(execFile)

export interface LocalChainConfig {
  /** Port on 127.0.0.1; 0 (the default) takes a free one, which later starts of this object keep. */
  port?: number
  /** Where the chain is kept; without it the chain is gone when it stops. */
  stateFile?: string
  /** How many funded accounts, 1 to 100; default 10. */
  accounts?: number
  /** How often the chain is looked at for new blocks to save, in ms; default 250. */
  saveIntervalMs?: number
  /** Told when the chain ends without having been asked to; `start()` brings it back. */
  onExit?: (error: LocalChainError) => void
  /** Told when a save failed; the next interval tries again. */
  onSaveError?: (error: Error) => void
}

/** The local chain did not do as asked; `log` is the last thing it printed. */
export class LocalChainError extends Error {
  readonly code: 'chain_not_running' | 'chain_exited' | 'chain_start_timeout' | 'rpc_failed'
  readonly log: string
  constructor(code: LocalChainError['code'], message: string, log = '', options?: ErrorOptions) {
    super(log ? `${message}\n${log}` : message, options)
    this.code = code
    this.log = log
  }
}

/**
 * A real EVM chain on this machine: anvil, loopback only, a block for each transaction.
 *
 * With a `stateFile` every block is written soon after it is made, to a new file that then takes the
 * old one's name. So a kill -9 at any moment leaves a whole file, at most `saveIntervalMs` behind;
 * `save()` resolves when nothing is behind.
 *
 *     await using chain = await LocalChain.create({ stateFile: 'chain.json' })
 *     await chain.start()
 *     console.log(chain.rpcUrl, chain.accounts[0].privateKey)
 */
export class LocalChain {
  readonly chainId = 31337
  readonly accounts: DevAccount[]
  readonly #config: LocalChainConfig
  readonly #stateFile: string | undefined
  #port: number
  #child: ChildProcess | undefined
  #log = ''
  #saver: { stop: () => Promise<void> } | undefined
  #saving: Promise<void> = Promise.resolve()
  #savedBlock: string | undefined

  private constructor(config: LocalChainConfig) {
    this.#config = config
    this.#stateFile = config.stateFile === undefined ? undefined : resolve(config.stateFile)
    this.#port = config.port ?? 0
    this.accounts = devAccounts(config.accounts ?? 10)
  }

  /** Prepares a chain; nothing runs before `start()`. */
  static async create(config: LocalChainConfig = {}): Promise<LocalChain> {
    const accounts = config.accounts ?? 10
    if (!Number.isInteger(accounts) || accounts < 1 || accounts > 100) {
      throw new RangeError(`accounts: give a whole number from 1 to 100, not ${accounts}`)
    }
    return new LocalChain(config)
  }

  /** The JSON-RPC address; known once started. */
  get rpcUrl(): string {
    if (this.#port === 0) throw new LocalChainError('chain_not_running', 'start() the chain first')
    return `http://127.0.0.1:${this.#port}`
  }

  /** Process id while running. */
  get pid(): number | undefined {
    return this.#child?.pid
  }

  /**
   * Resolves when the chain answers, with everything the state file holds.
   *
   * @throws {LocalChainError} with anvil's own words if it ends or stays silent
   */
  async start(): Promise<void> {
    if (this.#child) return
    const [command, ...prefix] = [...(await leash()), findAnvilBinary()]
    const args = [...prefix, '--host', '127.0.0.1', '--port', String(this.#port)]
    args.push('--mnemonic', devMnemonic, '--accounts', String(this.accounts.length))
    args.push('--chain-id', String(this.chainId))
    if (this.#stateFile) {
      await mkdir(dirname(this.#stateFile), { recursive: true })
      if (await isFile(this.#stateFile)) args.push('--load-state', this.#stateFile)
    }

    this.#log = ''
    // Its own process group: a Ctrl-C in the terminal is for us, and we stop the chain last.
    const child = spawn(command!, args, { stdio: ['ignore', 'pipe', 'pipe'], detached: true })
    this.#child = child
    process.once('exit', this.#killNow)
    child.once('close', (code, signal) => this.#onClose(child, code ?? signal))
    try {
      this.#port = await this.#listeningPort(child)
      await this.#request('eth_chainId')
    } catch (error) {
      await this.#end(child)
      throw error
    }
    if (this.#stateFile) this.#saver = this.#startSaving()
  }

  /** Saves and ends the chain; does nothing when it does not run. */
  async stop(): Promise<void> {
    const child = this.#child
    if (!child) return
    await this.#saver?.stop()
    this.#saver = undefined
    try {
      if (this.#stateFile) await this.save()
    } finally {
      await this.#end(child)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }

  /** Writes the chain as it is now into the state file; resolves when it is on disk. */
  async save(): Promise<void> {
    const stateFile = this.#stateFile
    if (stateFile === undefined) throw new Error('stateFile: give one to keep the chain')
    const previous = this.#saving
    this.#saving = previous.catch(() => undefined).then(() => this.#writeState(stateFile))
    await this.#saving
  }

  async #writeState(stateFile: string): Promise<void> {
    const block = (await this.#request('eth_blockNumber')) as string
    const dump = (await this.#request('anvil_dumpState')) as string
    const state = await inflate(Buffer.from(dump.slice(2), 'hex'))
    const temporary = `${stateFile}.tmp`
    const file = await open(temporary, 'w', 0o600)
    try {
      await file.writeFile(state)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(temporary, stateFile)
    this.#savedBlock = block
  }

  #startSaving(): { stop: () => Promise<void> } {
    const intervalMs = this.#config.saveIntervalMs ?? 250
    const stopping = new AbortController()
    const saveNewBlocks = async () => {
      while (!stopping.signal.aborted) {
        try {
          if ((await this.#request('eth_blockNumber')) !== this.#savedBlock) await this.save()
        } catch (error) {
          // A chain that ended is reported by `onExit`.
          if (this.#child) this.#config.onSaveError?.(error as Error)
        }
        await sleep(intervalMs, undefined, { signal: stopping.signal }).catch(() => undefined)
      }
    }
    const done = saveNewBlocks()
    return {
      async stop() {
        stopping.abort()
        await done
      },
    }
  }

  async #listeningPort(child: ChildProcess): Promise<number> {
    const timeout = AbortSignal.timeout(startTimeoutMs)
    return await new Promise<number>((resolvePort, reject) => {
      const onOutput = (chunk: Buffer) => {
        this.#log = (this.#log + chunk.toString()).slice(-maxLogCharacters)
        const match = /Listening on 127\.0\.0\.1:(\d+)/.exec(this.#log)
        if (match) resolvePort(Number(match[1]))
      }
      child.stdout?.on('data', onOutput)
      child.stderr?.on('data', onOutput)
      child.once('error', (cause) =>
        reject(new LocalChainError('chain_exited', `anvil did not start: ${cause.message}`, '', { cause })),
      )
      child.once('close', (code, signal) =>
        reject(
          new LocalChainError(
            'chain_exited',
            `anvil ended at once (${code ?? signal})`,
            lastLines(this.#log),
          ),
        ),
      )
      timeout.addEventListener('abort', () =>
        reject(
          new LocalChainError(
            'chain_start_timeout',
            `anvil was silent for ${startTimeoutMs} ms`,
            lastLines(this.#log),
          ),
        ),
      )
    })
  }

  async #request(method: string): Promise<unknown> {
    let body: { result?: unknown; error?: { message: string } }
    try {
      const response = await fetch(this.rpcUrl, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params: [] }),
        signal: AbortSignal.timeout(startTimeoutMs),
      })
      body = (await response.json()) as typeof body
    } catch (cause) {
      throw new LocalChainError('rpc_failed', `${method}: the local chain does not answer`, '', { cause })
    }
    if (body.error) throw new LocalChainError('rpc_failed', `${method}: ${body.error.message}`)
    return body.result
  }

  readonly #killNow = () => {
    this.#child?.kill('SIGKILL')
  }

  #onClose(child: ChildProcess, reason: number | string | null): void {
    if (this.#child !== child) return
    this.#child = undefined
    process.off('exit', this.#killNow)
    const saver = this.#saver
    this.#saver = undefined
    if (!saver) return
    void saver.stop()
    this.#config.onExit?.(
      new LocalChainError('chain_exited', `anvil ended by itself (${reason})`, lastLines(this.#log)),
    )
  }

  async #end(child: ChildProcess): Promise<void> {
    if (this.#child === child) this.#child = undefined
    process.off('exit', this.#killNow)
    if (child.exitCode === null && child.signalCode === null && child.pid !== undefined) {
      const closed = new Promise<void>((done) => child.once('close', () => done()))
      child.kill('SIGTERM')
      const force = setTimeout(() => child.kill('SIGKILL'), stopTimeoutMs)
      await closed
      clearTimeout(force)
    }
  }
}

/** Where Linux has `setpriv`, the kernel ends the chain with us, even when we are killed. */
async function leash(): Promise<string[]> {
  const setpriv = ['setpriv', '--pdeathsig', 'KILL'] as const
  return await run(setpriv[0], [...setpriv.slice(1), 'true']).then(
    () => [...setpriv],
    () => [],
  )
}

function lastLines(log: string): string {
  return log.trim().split('\n').slice(-8).join('\n')
}

async function isFile(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isFile()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false
    throw error
  }
}
