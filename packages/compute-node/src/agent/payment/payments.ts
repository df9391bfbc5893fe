import type { InstanceContent, Payment, ProgramContent } from '@aleph-ts/protocol'
import { z } from 'zod'
import type { CoreNodes } from '../core-nodes/core-nodes.ts'
import { AgentError } from '../errors.ts'
import { type PaidVm, type PaymentAccount, shortfall } from './payment-account.ts'
import type { StreamedVm, Streams } from './streams.ts'

const MAX_ANSWER_BYTES = 64 * 1024
/** Credits must last for this long before a VM starts (protocol 05 §9.2). */
const CREDIT_RUNWAY_SECONDS = 3600
/** Tokens or credits that may be missing without consequence (protocol 05 §1). */
const paymentTolerance = 1e-10
/** Digits of a price after its point. */
const PRICE_DIGITS = 18

const amount = z.union([z.number(), z.string()]).transform(Number).pipe(z.number().finite())
const decimal = z
  .union([z.number().transform((number) => number.toFixed(PRICE_DIGITS)), z.string()])
  .pipe(z.string().regex(/^\d{1,30}(\.\d{1,40})?$/, 'is no decimal of zero or more'))
const priceSchema = z.looseObject({ cost: decimal })
const balanceSchema = z.looseObject({
  balance: amount.default(0),
  credit_balance: amount.default(0),
})

export interface PaymentsOptions {
  coreNodes: CoreNodes
  streams: Streams
  /** What is paid for here already. */
  accounts: () => Promise<PaymentAccount[]>
}

/** Asks core nodes and chains what VMs cost and what their owners have. */
export class Payments {
  readonly #options: PaymentsOptions

  constructor(options: PaymentsOptions) {
    this.#options = options
  }

  /** Tokens for hold, tokens per second for a stream, credits per second for credit; decimal text. */
  async cost(hash: string): Promise<string> {
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
   * Refuses a VM whose owner cannot pay for it as its message says (protocol 05 §9.2). Throws AgentError
   * `payment_required` or `invalid_request`.
   */
  async assertAffordable(hash: string, content: ProgramContent | InstanceContent): Promise<void> {
    const { address: owner, payment, time } = content
    if (payment?.type === 'superfluid') return this.#assertStreaming({ hash, time }, owner, payment)
    const cost = Number(await this.#costUnlessPlainHold(hash, content))
    const { tokens, credits } = await this.balance(owner)
    const isCredit = payment?.type === 'credit'
    const required = isCredit ? cost * CREDIT_RUNWAY_SECONDS : cost
    if (required <= (isCredit ? credits : tokens)) return
    throw new AgentError(
      'payment_required',
      isCredit
        ? `Insufficient credits for this instance\n\nRequired: ${required} credits \nCurrent user credits: ${credits}`
        : `Insufficient balance for this instance\n\nRequired: ${required} token \nCurrent user balance: ${tokens}`,
    )
  }

  /**
   * Refuses a VM that shares a stream with others which leave too little for it, whoever asked for it. A chain that
   * cannot be asked refuses nothing. Throws AgentError `payment_required`.
   */
  async assertCovered(hash: string): Promise<void> {
    const streams = (await this.#options.accounts()).filter(({ payment }) => payment === 'superfluid')
    const account = streams.find(({ vms }) => vms.some((vm) => vm.hash === hash))
    if (!account) return
    const covered = await this.covered(account).catch((error: unknown) => {
      if (error instanceof AgentError) return account.vms.length
      throw error
    })
    if (account.vms.findIndex((vm) => vm.hash === hash) < covered) return
    throw new AgentError('payment_required', shortfall(account))
  }

  /** How many VMs of an account, from the oldest on, its payer pays for now (protocol 05 §15). */
  async covered({ payment, payer, chain, vms }: PaymentAccount): Promise<number> {
    const priced = await this.#priced(vms)
    if (payment === 'superfluid') return this.#options.streams.covered(payer, chain, priced)
    const { tokens, credits } = await this.balance(payer)
    const available = (payment === 'credit' ? credits : tokens) + paymentTolerance
    let sum = 0
    const beyond = priced.findIndex(({ cost }) => {
      sum += Number(cost)
      return sum > available
    })
    return beyond < 0 ? priced.length : beyond
  }

  /** The stream must suffice for everything that it pays for here already, too. */
  async #assertStreaming(vm: PaidVm, owner: string, payment: Payment): Promise<void> {
    const { streams, accounts } = this.#options
    streams.assertAccepted(payment, owner)
    const account = (await accounts()).find(
      ({ payment: type, payer, chain }) =>
        type === 'superfluid' && payer.toLowerCase() === owner.toLowerCase() && chain === payment.chain,
    )
    const others = account?.vms.filter(({ hash }) => hash !== vm.hash) ?? []
    await streams.assertSufficient(owner, payment.chain, await this.#priced([...others, vm]))
  }

  async #priced(vms: PaidVm[]): Promise<StreamedVm[]> {
    return Promise.all(vms.map(async ({ hash, time }) => ({ cost: await this.cost(hash), time })))
  }

  /** Plain instances paid by holding come from the scheduler alone. */
  async #costUnlessPlainHold(hash: string, content: ProgramContent | InstanceContent): Promise<string> {
    if (content.payment?.type !== 'credit' && !isSpecial(content)) {
      throw new AgentError('invalid_request', '400: Invalid payment method')
    }
    return this.cost(hash)
  }

  async #ask(what: string, path: string): Promise<unknown> {
    const { coreNodes } = this.#options
    return coreNodes.first(what, (server) => coreNodes.getJson(server, path, MAX_ANSWER_BYTES))
  }
}

/** Whether the message asks for hardware that its owner must choose a node for. */
function isSpecial({ requirements, environment }: ProgramContent | InstanceContent): boolean {
  const isConfidential = 'trusted_execution' in environment && Boolean(environment.trusted_execution)
  return isConfidential || Boolean(requirements?.gpu?.length)
}

function parsed<T extends z.ZodType>(schema: T, answer: unknown): z.output<T> {
  const result = schema.safeParse(answer)
  if (result.success) return result.data
  throw new AgentError(
    'core_nodes_unreachable',
    `A core node sent no usable answer: ${z.prettifyError(result.error)}`,
  )
}
