import {
  type CostInput,
  type CostRow,
  computeCost,
  type PaymentType,
  parseEstimate,
  paymentTypeOf,
  totalCost,
} from '@aleph-ts/protocol'
import { AlephError, formatAmount, parseAmount } from '@aleph-ts/sdk'
import { type Command, InvalidArgumentError, Option } from 'commander'
import { Session } from '../session.ts'
import { parseJson, readText } from '../terminal/input.ts'
import { printable, shownAmount } from '../terminal/printable.ts'
import { fields, table } from '../terminal/table.ts'
import type { Terminal } from '../terminal/terminal.ts'
import {
  type EstimateMessage,
  namedFiles,
  type PricedType,
  pricedTypes,
  readPricedMessage,
} from './priced-message.ts'

interface EstimateOptions {
  type?: PricedType
  size?: Map<string, number>
  offline?: boolean
}

const help = `
The file holds a message (STORE, PROGRAM, INSTANCE or V-PROGRAM, signed or not) or just its content. Files that are not
on the network yet may carry "estimated_size_mib", or their size is told with --size.

Prices and sizes of known files come from the network; when no node answers, or with --offline, prices are the built-in
ones. Hold is ALEPH to keep in the account, stream and credit are per second.

Examples:
  aleph price estimate program.json
  aleph price estimate content.json --type INSTANCE --json
  aleph price estimate store.json --size HASH=104857600 --offline`

/** `aleph price`: what things cost before they exist. */
export function priceCommand(root: Command, terminal: Terminal): void {
  root
    .command('price')
    .description('what things cost')
    .command('estimate')
    .argument('<file>', 'JSON file; - for standard input')
    .description('price of a message that was not sent yet')
    .addOption(
      new Option('--type <type>', 'type of the message the content is for').choices([...pricedTypes]),
    )
    .option('--size <hash=bytes>', 'size of a file, by its hash; may be repeated', addSize)
    .option('--offline', 'ask no network')
    .addHelpText('after', help)
    .action((file: string, options: EstimateOptions, command: Command) =>
      showEstimate(Session.of(terminal, command), file, options),
    )
}

async function showEstimate(session: Session, file: string, options: EstimateOptions): Promise<void> {
  const { output } = session
  const message = readPricedMessage(parseJson(await readText(session.terminal, file), 'a message'), options)
  const { type } = message
  const estimate = parseEstimate({ type, item_content: message.text })
  const { content } = estimate
  const fromNetwork = options.offline ? null : await askNetwork(session, message)
  const rows = fromNetwork ?? computeCost(estimate as CostInput)
  const paymentType = paymentTypeOf(type, content)
  const unknown = namedFiles(type, content).filter(
    ({ row }) => !rows.some(({ name }) => name.startsWith(row)),
  )
  const document = {
    type,
    payment_type: paymentType,
    cost: totalCost(rows, paymentType),
    totals: {
      hold: totalCost(rows, 'hold'),
      stream: totalCost(rows, 'superfluid'),
      credit: totalCost(rows, 'credit'),
    },
    prices: fromNetwork ? (await session.network()).name : 'built-in',
    unknown_sizes: unknown.map(({ ref }) => ref),
    detail: rows.map(({ payment_type: _, ...row }) => row),
  }
  output.result(document, () => estimateText(document))
  if (unknown.length > 0) {
    const names = unknown.map(({ ref }) => printable(ref, 70)).join(', ')
    output.note(`Not in the price, for nobody told their size: ${names}. Tell it with --size HASH=BYTES.`)
  }
}

/** The bill by the prices in force; null when no node answers. */
async function askNetwork(session: Session, message: EstimateMessage): Promise<CostRow[] | null> {
  const client = await session.reader()
  try {
    const price = await client.estimatePrice(message, { signal: session.signal })
    return price.details.map(({ type, name, hold, stream, credit }) => ({
      type: type as CostRow['type'],
      name,
      ref: null,
      payment_type: price.paymentType as PaymentType,
      cost_hold: hold,
      cost_stream: stream,
      cost_credit: credit,
    }))
  } catch (error) {
    const isAway = error instanceof AlephError && ['network_unreachable', 'timeout'].includes(error.code)
    if (!isAway) throw error
    session.output.note('No node answers: these are the built-in prices.')
    return null
  }
}

interface EstimateDocument {
  type: string
  payment_type: PaymentType
  totals: { hold: string; stream: string; credit: string }
  prices: string
  detail: Omit<CostRow, 'payment_type'>[]
}

function estimateText({ type, payment_type, totals, prices, detail }: EstimateDocument): string {
  const rows = detail.map((row) => [printable(row.name, 48), row.cost_hold, row.cost_stream, row.cost_credit])
  const chosen = (payment: PaymentType) => (payment === payment_type ? '  ← how it pays' : '')
  const perDay = formatAmount(parseAmount(totals.credit) * 86_400n)
  const perHour = formatAmount(parseAmount(totals.stream) * 3_600n)
  return [
    table(['', 'hold', 'stream', 'credit'], rows),
    '',
    fields([
      ['type', type],
      ['prices', prices],
      ['hold', `${shownAmount(totals.hold)} ALEPH, held while it exists${chosen('hold')}`],
      ['stream', `${shownAmount(perHour)} ALEPH an hour${chosen('superfluid')}`],
      ['credit', `${shownAmount(perDay)} credits a day${chosen('credit')}`],
    ]),
  ].join('\n')
}

function addSize(text: string, sizes: Map<string, number> = new Map()): Map<string, number> {
  const [, hash, bytes] = /^([A-Za-z0-9]{40,80})=(\d{1,15})$/.exec(text) ?? []
  if (hash === undefined) throw new InvalidArgumentError('Give it as HASH=BYTES.')
  return new Map([...sizes, [hash, Number(bytes)]])
}
