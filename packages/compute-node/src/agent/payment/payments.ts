import type { InstanceContent, ProgramContent } from '@aleph-ts/protocol'
import { z } from 'zod'
import type { CoreNodes } from '../core-nodes/core-nodes.ts'
import { AgentError } from '../errors.ts'

const MAX_ANSWER_BYTES = 64 * 1024
/** Credits must last for this long before a VM starts (protocol 05 §9.2). */
const CREDIT_RUNWAY_SECONDS = 3600
/** Tokens or credits that may be missing without consequence (protocol 05 §1). */
export const paymentTolerance = 1e-10

const amount = z.union([z.number(), z.string()]).transform(Number).pipe(z.number().finite())
const priceSchema = z.looseObject({ cost: amount })
const balanceSchema = z.looseObject({
  balance: amount.default(0),
  credit_balance: amount.default(0),
})

/** Asks core nodes what VMs cost and what their owners have. */
export class Payments {
  readonly #coreNodes: CoreNodes

  constructor(coreNodes: CoreNodes) {
    this.#coreNodes = coreNodes
  }

  /** Tokens for hold, tokens per second for a stream, credits per second for credit. */
  async cost(hash: string): Promise<number> {
    const answer = await this.#ask(`price of ${hash}`, `/api/v0/price/${hash}`)
    if (answer === null) throw new AgentError('message_not_found', `No core node knows the price of ${hash}`)
    return parsed(priceSchema, answer).cost
  }

  async balance(address: string): Promise<{ tokens: number; credits: number }> {
    const path = `/api/v0/addresses/${encodeURIComponent(address)}/balance`
    const answer = await this.#ask(`balance of ${address}`, path)
    const { balance, credit_balance } = parsed(balanceSchema, answer ?? {})
    return { tokens: balance, credits: credit_balance }
  }

  /**
   * Refuses a VM whose owner cannot pay for it as its message says (protocol 05 §9.2).
   * Throws AgentError `payment_required` or `invalid_request`.
   */
  async assertAffordable(hash: string, content: ProgramContent | InstanceContent): Promise<void> {
    switch (content.payment?.type ?? 'hold') {
      case 'hold':
        throw new AgentError('invalid_request', '400: Invalid payment method')
      case 'superfluid':
        throw new AgentError(
          'invalid_request',
          '400: Message is not for this instance: this node takes no payment streams',
        )
      case 'credit': {
        const required = (await this.cost(hash)) * CREDIT_RUNWAY_SECONDS
        const { credits } = await this.balance(content.address)
        if (required <= credits) return
        throw new AgentError(
          'payment_required',
          `Insufficient credits for this instance\n\nRequired: ${required} credits \nCurrent user credits: ${credits}`,
        )
      }
    }
  }

  async #ask(what: string, path: string): Promise<unknown> {
    return this.#coreNodes.first(what, (server) => this.#coreNodes.getJson(server, path, MAX_ANSWER_BYTES))
  }
}

function parsed<T extends z.ZodType>(schema: T, answer: unknown): z.output<T> {
  const result = schema.safeParse(answer)
  if (result.success) return result.data
  throw new AgentError(
    'core_nodes_unreachable',
    `A core node sent no usable answer: ${z.prettifyError(result.error)}`,
  )
}
