import { isChainVerifiable, type SignedMessage, signatureScheme, verifySignature } from '@aleph-ts/protocol'
import type { SmartWallets } from './smart-wallets.ts'
import type { VerifyPool } from './verify-pool.ts'

interface Waiting {
  message: SignedMessage
  resolve: (verdict: boolean) => void
  reject: (error: unknown) => void
}

/** Below this many native checks, handing them to another thread costs more than it saves. */
const worthATrip = 8
/** Messages a thread gets at once: few enough that a burst spreads over all threads. */
const tripSize = 64

/**
 * Checks the signatures of everything that comes in. Calls of one moment go together to threads of their own; a lone
 * check that is quick is made at once.
 */
export class SignatureVerifier implements AsyncDisposable {
  readonly #pool: VerifyPool
  readonly #wallets: SmartWallets | undefined
  #waiting: Waiting[] = []

  constructor(pool: VerifyPool, wallets?: SmartWallets) {
    this.#pool = pool
    this.#wallets = wallets
  }

  /**
   * Whether the sender of a message made its signature, by its key or as a wallet contract.
   *
   * @throws {ProtocolError} INVALID_FORMAT when signatures of the message's chain are not taken
   * @throws {SmartWalletUnavailableError | VerificationError} when it cannot be told now
   */
  async verify(message: SignedMessage): Promise<boolean> {
    if (!isChainVerifiable(message.chain)) return verifySignature(message)
    if (!message.signature) return false
    const isOwnKey = await this.#verifyKey(message)
    return isOwnKey || ((await this.#wallets?.approves(message)) ?? false)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#wallets?.close()
    await this.#pool[Symbol.asyncDispose]()
  }

  #verifyKey({ chain, sender, type, item_hash, signature, time }: SignedMessage): Promise<boolean> {
    const { promise, resolve, reject } = Promise.withResolvers<boolean>()
    const message = { chain, sender, type, item_hash, signature, time }
    this.#waiting.push({ message, resolve, reject })
    // The rest of this tick may bring more.
    if (this.#waiting.length === 1) setImmediate(() => this.#flush())
    return promise
  }

  #flush(): void {
    const waiting = this.#waiting
    this.#waiting = []
    if (waiting.length < worthATrip && waiting.every(({ message }) => isNative(message))) {
      for (const { message, resolve } of waiting) resolve(verifySignature(message))
      return
    }
    for (let start = 0; start < waiting.length; start += tripSize) {
      void this.#trip(waiting.slice(start, start + tripSize))
    }
  }

  async #trip(waiting: Waiting[]): Promise<void> {
    try {
      const verdicts = await this.#pool.verify(waiting.map(({ message }) => message))
      for (const [index, { resolve }] of waiting.entries()) resolve(verdicts[index]!)
    } catch (error) {
      for (const { reject } of waiting) reject(error)
    }
  }
}

/** Checked by compiled code, in well under a millisecond. */
function isNative({ chain }: SignedMessage): boolean {
  return signatureScheme(chain) === 'evm'
}
