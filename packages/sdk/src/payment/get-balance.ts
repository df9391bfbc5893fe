import { z } from 'zod'
import type { ClientContext } from '../client/client-context.ts'
import { parseAnswer } from '../http/parse-answer.ts'
import { requestJson } from '../http/request.ts'
import { amountOfNumber, formatAmount, parseAmount } from './decimal-amount.ts'

/** Amounts are decimal texts in ALEPH; credits are whole. */
export interface Balance {
  address: string
  total: string
  /** Bound by what runs and is paid by holding. */
  locked: string
  /** What new resources may be paid with: `total` less `locked`, never below zero. */
  available: string
  byChain: Record<string, string>
  credits: string
}

const balanceSchema = z.looseObject({
  address: z.string(),
  balance: z.number(),
  details: z.record(z.string(), z.number()).nullish(),
  locked_amount: z.number().nullish(),
  credit_balance: z.number().nullish(),
})

/** ALEPH and credits of an address; zero for an address nobody has heard of (protocol 03 §10.1). */
export async function getBalance(
  context: ClientContext,
  address: string,
  options: { chain?: string; signal?: AbortSignal } = {},
): Promise<Balance> {
  const answer = await requestJson(context.core, `/api/v0/addresses/${encodeURIComponent(address)}/balance`, {
    query: { chain: options.chain },
    accept: [404],
    ...(options.signal ? { signal: options.signal } : {}),
  })
  if (answer.status === 404) {
    return { address, total: '0', locked: '0', available: '0', byChain: {}, credits: '0' }
  }
  const body = parseAnswer(balanceSchema, answer)
  const total = amountOfNumber(body.balance)
  const locked = amountOfNumber(body.locked_amount ?? 0)
  const available = parseAmount(total) - parseAmount(locked)
  const byChain = Object.entries(body.details ?? {}).map(([chain, value]) => [chain, amountOfNumber(value)])
  return {
    address: body.address,
    total,
    locked,
    available: formatAmount(available > 0n ? available : 0n),
    byChain: Object.fromEntries(byChain),
    credits: amountOfNumber(body.credit_balance ?? 0),
  }
}
