import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'

/** A core node in a process of its own, as operators run it, so that it can be killed. */
export class NodeProcess {
  readonly url: string
  readonly multiaddrs: string[]
  readonly #child: ChildProcess

  private constructor(child: ChildProcess, ready: { url: string; multiaddrs?: string[] }) {
    this.#child = child
    this.url = ready.url
    this.multiaddrs = ready.multiaddrs ?? []
  }

  /** @param asCommand the command that runs a command where the node shall run */
  static async start(
    dataDir: string,
    environment: Record<string, string> = {},
    asCommand = (file: string, args: string[]): [string, string[]] => [file, args],
  ): Promise<NodeProcess> {
    const main = new URL('../../src/main.ts', import.meta.url).pathname
    const [file, args] = asCommand(process.execPath, [main])
    const child = spawn(file, args, {
      env: {
        PATH: process.env.PATH,
        ALEPH_CORE_DATA_DIR: dataDir,
        ALEPH_CORE_HTTP_PORT: '0',
        ALEPH_CORE_P2P_PORT: '0',
        ALEPH_CORE_LOG_LEVEL: 'error',
        ...environment,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let said = ''
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      said += text
    })
    const lines = createInterface({ input: child.stdout! })
    const first = await Promise.race([once(lines, 'line'), once(child, 'exit').then(() => undefined)])
    if (!first) throw new Error(`The node did not start: ${said}`)
    return new NodeProcess(child, JSON.parse(first[0] as string))
  }

  async kill(): Promise<void> {
    await this.#end('SIGKILL')
  }

  /** @returns the exit code of a clean stop */
  async stop(): Promise<number | null> {
    return this.#end('SIGTERM')
  }

  async #end(signal: NodeJS.Signals): Promise<number | null> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      const gone = once(this.#child, 'exit')
      this.#child.kill(signal)
      await gone
    }
    return this.#child.exitCode
  }
}
