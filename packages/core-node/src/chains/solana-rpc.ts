import { z } from 'zod'
import { ChainSourceError } from './chain-source.ts'
import { JsonEndpoint } from './json-endpoint.ts'

/** Signatures in one answer. */
const pageSize = 1_000
/** Pages walked back in one go. */
const mostPages = 2_000

const answerSchema = z.union([
  z.object({ error: z.object({ code: z.number(), message: z.string() }) }),
  z.object({ result: z.unknown() }),
])

const slotSchema = z.int().nonnegative()
const signaturesSchema = z.array(
  z.object({ signature: z.string().min(1).max(128), slot: slotSchema, err: z.unknown() }),
)
const transactionSchema = z.object({
  blockTime: z.number(),
  meta: z.object({ logMessages: z.array(z.string()).nullish() }),
})

/** A transaction that names an account. */
export interface ListedTransaction {
  signature: string
  slot: number
  /** Null when it did what it should. */
  err: unknown
}

/** The few questions that a reader of a program's events asks a Solana node. Only what is final is asked for. */
export class SolanaRpc {
  readonly #endpoint: JsonEndpoint

  constructor(rpcUrl: string) {
    this.#endpoint = new JsonEndpoint({ urls: rpcUrl })
  }

  close(): void {
    this.#endpoint.close()
  }

  /** The newest final slot. */
  async slot(): Promise<number> {
    return await this.#ask(slotSchema, 'getSlot', [{ commitment: 'finalized' }])
  }

  /** The oldest slot that the node still knows. */
  async oldestSlot(): Promise<number> {
    return await this.#ask(slotSchema, 'getFirstAvailableBlock', [])
  }

  /**
   * Transactions that name an account, oldest first: all from a slot on up to the newest final one.
   *
   * @param through a slot that the node must know, or it is no answer
   */
  async transactionsSince(account: string, from: number, through: number): Promise<ListedTransaction[]> {
    const found: ListedTransaction[] = []
    for (let pages = 0; pages < mostPages; pages++) {
      const before = found.at(-1)?.signature
      const options = { commitment: 'finalized', limit: pageSize, minContextSlot: through, before }
      const page = await this.#ask(signaturesSchema, 'getSignaturesForAddress', [account, options])
      found.push(...page)
      const last = page.at(-1)
      if (page.length < pageSize || last!.slot < from) {
        return found.filter((transaction) => transaction.slot >= from).reverse()
      }
    }
    throw new ChainSourceError(
      'unreachable',
      `more than ${mostPages * pageSize} transactions to list at once`,
    )
  }

  /** Time (epoch seconds) and log of a transaction. */
  async transaction(signature: string): Promise<{ time: number; logs: string[] }> {
    const options = { commitment: 'finalized', encoding: 'json', maxSupportedTransactionVersion: 0 }
    const { blockTime, meta } = await this.#ask(transactionSchema, 'getTransaction', [signature, options])
    return { time: blockTime, logs: meta.logMessages ?? [] }
  }

  /** An answer of another shape, such as null for what the node does not have, is no answer. */
  async #ask<Answer>(schema: z.ZodType<Answer>, method: string, params: unknown[]): Promise<Answer> {
    const answer = answerSchema.safeParse(await this.#endpoint.ask({ jsonrpc: '2.0', id: 1, method, params }))
    if (!answer.success) throw new ChainSourceError('unreachable', `${method}: no answer of JSON-RPC`)
    if ('error' in answer.data) {
      const { code, message } = answer.data.error
      throw new ChainSourceError('unreachable', `${method}: ${message.slice(0, 500)} (${code})`)
    }
    const result = schema.safeParse(answer.data.result)
    if (!result.success) throw new ChainSourceError('unreachable', `${method}: not the answer expected`)
    return result.data
  }
}
