import type { ResourceCost } from '@aleph-ts/sdk'
import { formatAmount, parseAmount } from '@aleph-ts/sdk'
import { type Command, InvalidArgumentError } from 'commander'
import { exitCodes } from '../exit-codes.ts'
import { CliError } from '../failure.ts'
import { Session } from '../session.ts'
import { creditHistoryTable } from '../terminal/credit-history.ts'
import { shownAmount } from '../terminal/printable.ts'
import { fields, table } from '../terminal/table.ts'
import type { Terminal } from '../terminal/terminal.ts'
import { paymentStreamCommand } from './payment-stream.ts'
import { openWallet, rpcOf } from './payment-wallet.ts'

const buyHelp = `
Sends tokens from your account to the network's credit contract; the credits come once the network has seen the payment.

Examples:
  aleph payment buy 10
  aleph payment buy 25 --token USDC --rpc https://…`

/** `aleph payment`: what one has, and what one pays for what. */
export function paymentCommand(root: Command, terminal: Terminal): void {
  const payment = root.command('payment').description('what you have, what you pay for, and how')
  payment
    .command('balance')
    .argument('[address]', 'whose (default: yours)')
    .description('ALEPH, how much of it is bound, and credits')
    .addHelpText('after', '\nExamples:\n  aleph payment balance\n  aleph payment balance 0x… --json')
    .action((address: string | undefined, _options: object, command: Command) =>
      showBalance(Session.of(terminal, command), address),
    )
  payment
    .command('list')
    .argument('[address]', 'whose (default: yours)')
    .description('everything that is paid for, by the way it is paid')
    .addHelpText('after', '\nExamples:\n  aleph payment list\n  aleph payment list 0x… --json')
    .action((address: string | undefined, _options: object, command: Command) =>
      list(Session.of(terminal, command), address),
    )
  payment
    .command('history')
    .argument('[address]', 'whose (default: yours)')
    .description('credits given and spent, newest first')
    .option('--limit <number>', 'how many entries', asLimit, 50)
    .addHelpText('after', '\nExamples:\n  aleph payment history --limit 200 --json')
    .action((address: string | undefined, { limit }: { limit: number }, command: Command) =>
      history(Session.of(terminal, command), address, limit),
    )
  payment
    .command('buy')
    .argument('<amount>', 'tokens to pay, such as 12.5', asAmount)
    .description('buy credits')
    .option('--token <name>', 'what to pay with (default: the first that the network takes)')
    .option('--rpc <url>', 'RPC endpoint of the chain of the payment')
    .addHelpText('after', buyHelp)
    .action((amount: string, options: { token?: string; rpc?: string }, command: Command) =>
      buy(Session.of(terminal, command), amount, options),
    )
  paymentStreamCommand(payment, terminal)
}

async function whose(session: Session, asked: string | undefined): Promise<string> {
  return asked ?? (await session.identity()).address
}

async function showBalance(session: Session, asked: string | undefined): Promise<void> {
  const { signal, output } = session
  const address = await whose(session, asked)
  const client = await session.reader()
  const [balance, paid] = await Promise.all([
    client.getBalance(address, { signal }),
    client.listCosts(address, 'credit', { signal }),
  ])
  const creditsPerDay = formatAmount(sumOf(paid) * 86_400n)
  const days = sumOf(paid) === 0n ? null : daysOf(balance.credits, creditsPerDay)
  const document = { ...balance, credits_per_day: creditsPerDay, days_of_credits: days }
  output.result(document, () =>
    fields([
      ['address', address],
      ['aleph', shownAmount(balance.total)],
      ['bound', `${shownAmount(balance.locked)} (held for what runs)`],
      ['free', shownAmount(balance.available)],
      ['credits', balance.credits],
      ['spent', days === null ? 'nothing' : `${shownAmount(creditsPerDay)} credits a day`],
      ['enough for', days === null ? null : `${days} days`],
    ]),
  )
}

async function list(session: Session, asked: string | undefined): Promise<void> {
  const { signal, output } = session
  const address = await whose(session, asked)
  const client = await session.reader()
  const [hold, stream, credit] = await Promise.all(
    (['hold', 'superfluid', 'credit'] as const).map((type) => client.listCosts(address, type, { signal })),
  )
  const document = {
    address,
    hold: { total: formatAmount(sumOf(hold!)), resources: hold! },
    stream: { total_per_hour: formatAmount(sumOf(stream!) * 3_600n), resources: stream! },
    credit: { total_per_day: formatAmount(sumOf(credit!) * 86_400n), resources: credit! },
  }
  output.result(document, () => {
    const rows = [...hold!, ...stream!, ...credit!].map((cost) => [
      cost.itemHash,
      cost.paymentType,
      shownCost(cost),
    ])
    return rows.length === 0 ? 'Nothing is paid for.' : table(['item hash', 'paid by', 'cost'], rows)
  })
}

function shownCost({ paymentType, cost, consumedCredits }: ResourceCost): string {
  if (paymentType === 'hold') return `${shownAmount(cost)} ALEPH held`
  if (paymentType === 'superfluid') {
    return `${shownAmount(formatAmount(parseAmount(cost) * 3_600n))} ALEPH an hour`
  }
  const perDay = shownAmount(formatAmount(parseAmount(cost) * 86_400n))
  return `${perDay} credits a day, ${consumedCredits} so far`
}

async function history(session: Session, asked: string | undefined, limit: number): Promise<void> {
  const { signal, output } = session
  const address = await whose(session, asked)
  const client = await session.reader()
  const entries = await client.listCreditHistory(address, { pageSize: limit, signal })
  output.result({ address, history: entries }, () =>
    entries.length === 0 ? 'No credits were given or spent.' : creditHistoryTable(entries),
  )
}

async function buy(
  session: Session,
  amount: string,
  options: { token?: string; rpc?: string },
): Promise<void> {
  const { creditSales, name } = await session.network()
  const wanted = options.token?.toLowerCase()
  const sale = creditSales.find(({ token }) => wanted === undefined || token.toLowerCase() === wanted)
  if (!sale) {
    const taken = creditSales.map(({ token }) => token).join(', ')
    throw new CliError(
      'no_credit_sale',
      `${name}: no contract is known that sells credits for ${options.token ?? 'tokens'}`,
      {
        exitCode: exitCodes.notFound,
        hint: taken === '' ? 'Buy credits in the console of the network.' : `It takes ${taken}.`,
      },
    )
  }
  const wallet = await openWallet(session, rpcOf(sale, options.rpc))
  const units = unitsOf(amount, sale.decimals)
  await session.confirm(`Pay ${amount} ${sale.token} from ${wallet.address} for credits?`)
  const { buyCredits } = await import('@aleph-ts/sdk/streams')
  const { txHash, credits } = await buyCredits({
    sale,
    provider: wallet.provider,
    buyer: wallet.address,
    units,
  })
  const document = { tx_hash: txHash, paid: amount, token: sale.token, credits: String(credits) }
  session.output.result(document, () =>
    fields([
      ['transaction', txHash],
      ['paid', `${amount} ${sale.token}`],
      ['credits', `${credits}, as soon as the network has seen it`],
    ]),
  )
}

function sumOf(costs: ResourceCost[]): bigint {
  return costs.reduce((sum, { cost }) => sum + parseAmount(cost), 0n)
}

/** Whole days and a tenth. */
function daysOf(credits: string, perDay: string): number {
  return Number((parseAmount(credits) * 10n) / parseAmount(perDay)) / 10
}

function unitsOf(amount: string, decimals: number): bigint {
  const [whole = '0', fraction = ''] = amount.split('.')
  if (fraction.length > decimals) {
    throw new CliError('invalid_amount', `${amount} has more than ${decimals} digits after the point`, {
      exitCode: exitCodes.usage,
    })
  }
  return BigInt(whole + fraction.padEnd(decimals, '0'))
}

function asAmount(text: string): string {
  if (/^\d{1,30}(\.\d{1,36})?$/.test(text) && Number(text) > 0) return text
  throw new InvalidArgumentError('give a decimal above zero, such as 12.5.')
}

function asLimit(text: string): number {
  const limit = Number(text)
  if (Number.isInteger(limit) && limit > 0 && limit <= 1000) return limit
  throw new InvalidArgumentError('give a whole number from 1 to 1000.')
}
