import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'

/** Whether the program of `boxo-peer/` is on the PATH (its comment tells how to build it). */
export const boxoIsHere = spawnSync('boxo-peer', [], { input: '' }).status === 0

/** An IPFS node made of the library that Kubo's bitswap is. */
export class BoxoPeer {
  readonly multiaddr: string
  readonly #process: ChildProcess
  readonly #answers: AsyncIterator<string>

  private constructor(multiaddr: string, process: ChildProcess, answers: AsyncIterator<string>) {
    this.multiaddr = multiaddr
    this.#process = process
    this.#answers = answers
  }

  static async start(): Promise<BoxoPeer> {
    const process = spawn('boxo-peer', [], { stdio: ['pipe', 'pipe', 'inherit'] })
    const answers = createInterface({ input: process.stdout! })[Symbol.asyncIterator]()
    return new BoxoPeer(String((await answers.next()).value), process, answers)
  }

  /** @throws with what the peer says went wrong */
  async tell(...words: string[]): Promise<string> {
    this.#process.stdin!.write(`${words.join(' ')}\n`)
    const answer = String((await this.#answers.next()).value)
    if (answer.startsWith('error: ')) throw new Error(answer)
    return answer
  }

  async stop(): Promise<void> {
    const ended = once(this.#process, 'exit')
    this.#process.kill()
    await ended
  }
}
