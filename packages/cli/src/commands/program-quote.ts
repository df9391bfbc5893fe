import {
  AlephApiError,
  type AlephClient,
  buildProgram,
  formatAmount,
  type ProgramFields,
  parseAmount,
} from '@aleph-ts/sdk'
import { exitCodes } from '../exit-codes.ts'
import { CliError } from '../failure.ts'
import { shownAmount } from '../terminal/printable.ts'

/** What a program will cost, and what is there to pay it. */
export interface Quote {
  address: string
  paymentType: string
  /** Decimal text: ALEPH to hold, or credits per second; null when the node does not tell. */
  cost: string | null
  /** For people; null like `cost`. */
  price: string | null
  available: string
  isEnough: boolean
}

const secondsPerDay = 86_400n

/** Asks the network for the price of a program that is not there yet, and for the balance of its payer. */
export async function quoteProgram(
  client: AlephClient,
  program: Omit<ProgramFields, 'code'>,
  codeBytes: number,
  signal: AbortSignal,
): Promise<Quote> {
  const account = client.context.account!
  const [price, balance] = await Promise.all([
    estimate(client, program, codeBytes, signal),
    client.getBalance(account.address, { signal }),
  ])
  const paymentType = program.paymentType ?? 'hold'
  const quote = { address: account.address, paymentType, cost: price }
  if (paymentType === 'credit') {
    // A day in advance is what core nodes ask for (protocol 01 §6.12).
    const perDay = price === null ? null : parseAmount(price) * secondsPerDay
    return {
      ...quote,
      price: perDay === null ? null : `${formatAmount(perDay)} credits a day`,
      available: `${shownAmount(balance.credits)} credits`,
      isEnough: perDay === null || parseAmount(balance.credits) >= perDay,
    }
  }
  return {
    ...quote,
    price: price === null ? null : `${formatAmount(parseAmount(price))} ALEPH, held while it exists`,
    available: `${shownAmount(balance.available)} ALEPH`,
    isEnough: price === null || parseAmount(balance.available) >= parseAmount(price),
  }
}

/** Stops before anything is sent that the network would refuse. */
export function refuseUnpaid(quote: Quote): void {
  if (quote.isEnough) return
  throw new CliError(
    'insufficient_balance',
    `It costs ${quote.price}; ${quote.address} has ${quote.available}`,
    {
      exitCode: exitCodes.unpaid,
      hint: 'Act with another account, add tokens, or ask for fewer resources.',
    },
  )
}

async function estimate(
  client: AlephClient,
  program: Omit<ProgramFields, 'code'>,
  codeBytes: number,
  signal: AbortSignal,
): Promise<string | null> {
  const options = { account: client.context.account! }
  // The code has no hash yet; its size stands in for it (protocol 03 §11.2).
  const { content } = buildProgram({ ...program, code: '0'.repeat(64) }, options)
  const code = { ...(content.code as object), estimated_size_mib: Math.ceil(codeBytes / 1024 ** 2) }
  const text = JSON.stringify({ ...content, code })
  try {
    const { cost } = await client.estimatePrice({ type: 'PROGRAM', text }, { signal })
    return cost
  } catch (error) {
    // A node that cannot estimate is no reason to keep the user waiting: the network decides in the end.
    if (error instanceof AlephApiError) return null
    throw error
  }
}
