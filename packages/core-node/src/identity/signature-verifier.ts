import { isChainVerifiable, ProtocolError, type SignedMessage, verifySignature } from '@aleph-ts/protocol'
import type { SmartWallets } from './smart-wallets.ts'
import { invalid, unknown, type Verdict, valid } from './verdict.ts'
import { verificationCost } from './verification-cost.ts'
import { WorkerPool, WorkerPoolError } from './worker-pool.ts'

/** Handing messages to a thread and back costs as much as checking for a third of this; nobody minds waiting so long, µs. */
const cheapBatch = 3_000
/** Work of one hand-over, µs: long enough to pay it, short enough that the threads end together. */
const chunkCost = 10_000
/** Messages that may wait for a thread: some seconds of work. */
const mostWaiting = 20_000

export interface SignatureVerifierOptions {
  /** Threads for batches that are worth the hand-over; 0: everything is checked on the calling thread. */
  workers: number
  /** Asked when a key did not make the signature. */
  smartWallets?: SmartWallets
  /** The module that threads run; another one than the default only in tests. */
  workerModule?: URL
}

/**
 * Checks signatures for every door (protocol 01 §4, §14.2), using the other cores where that pays: the cheap ones of
 * a small batch are checked at once, everything else by threads, so that the API goes on answering.
 */
export class SignatureVerifier implements AsyncDisposable {
  readonly #pool: WorkerPool | undefined
  readonly #smartWallets: SmartWallets | undefined
  #gathered: { message: SignedMessage; answer: PromiseWithResolvers<Verdict> }[] = []

  constructor(options: SignatureVerifierOptions) {
    const { workers: size, workerModule: module } = options
    this.#pool = size > 0 ? new WorkerPool({ size, mostWaiting, module }) : undefined
    this.#smartWallets = options.smartWallets
  }

  /** Checks one message, together with all others that come in the same turn of the event loop. */
  verify(message: SignedMessage): Promise<Verdict> {
    const answer = Promise.withResolvers<Verdict>()
    this.#gathered.push({ message, answer })
    if (this.#gathered.length === 1) setImmediate(() => this.#flush())
    return answer.promise
  }

  /** Checks messages, and says of each whether its sender signed it, in order. */
  async verifyBatch(messages: SignedMessage[]): Promise<Verdict[]> {
    const signed = messages.filter(isCheckable)
    const checks = await this.#check(signed)
    const verdicts = new Map(signed.map((message, index) => [message, checks[index]!]))
    return Promise.all(messages.map((message) => this.#conclude(message, verdicts.get(message))))
  }

  /** Ends the threads; messages under way get the verdict `unknown`. */
  async stop(): Promise<void> {
    this.#smartWallets?.close()
    await this.#pool?.stop()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }

  async #flush(): Promise<void> {
    const gathered = this.#gathered
    this.#gathered = []
    try {
      const verdicts = await this.verifyBatch(gathered.map(({ message }) => message))
      for (const [index, { answer }] of gathered.entries()) answer.resolve(verdicts[index]!)
    } catch (error) {
      for (const { answer } of gathered) answer.reject(error)
    }
  }

  /** What the keys alone say; an error where the threads gave no answer. */
  async #check(messages: SignedMessage[]): Promise<(boolean | WorkerPoolError)[]> {
    const pool = this.#pool
    const cost = messages.reduce((sum, message) => sum + verificationCost(message), 0)
    if (!pool || cost <= cheapBatch) return messages.map((message) => verifySignature(message))
    const answers = await Promise.all(chunks(messages).map((chunk) => askPool(pool, chunk)))
    return answers.flat()
  }

  async #conclude(message: SignedMessage, check: boolean | WorkerPoolError | undefined): Promise<Verdict> {
    if (check === true) return valid
    if (check === undefined) return refusal(message)
    if (check !== false) return unknown(`The signature could not be checked: ${check.message}`)
    return (await this.#smartWallets?.judge(message)) ?? invalid('The signature is not of the sender')
  }
}

function isCheckable({ chain, signature }: SignedMessage): boolean {
  return isChainVerifiable(chain) && Boolean(signature)
}

/** Why a message is refused before its signature is looked at. */
function refusal(message: SignedMessage): Verdict {
  try {
    verifySignature(message)
  } catch (error) {
    if (error instanceof ProtocolError) return { outcome: 'invalid', proven: true, error }
    throw error
  }
  return invalid('Missing signature')
}

/** Parts of about {@link chunkCost} each, in order. */
function chunks(messages: SignedMessage[]): SignedMessage[][] {
  const parts: SignedMessage[][] = [[]]
  let cost = 0
  for (const message of messages) {
    if (cost >= chunkCost) {
      parts.push([])
      cost = 0
    }
    parts.at(-1)!.push(message)
    cost += verificationCost(message)
  }
  return parts
}

async function askPool(pool: WorkerPool, messages: SignedMessage[]): Promise<(boolean | WorkerPoolError)[]> {
  try {
    return await pool.verify(messages)
  } catch (error) {
    if (!(error instanceof WorkerPoolError)) throw error
    return messages.map(() => error)
  }
}
