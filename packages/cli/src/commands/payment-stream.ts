import {
  communityShare,
  devnetProfile,
  mainnetProfile,
  requiredStreams,
  type StreamRates,
} from '@aleph-ts/protocol'
import { type AlephClient, formatAmount } from '@aleph-ts/sdk'
import type { PaymentStreams, StreamReceivers } from '@aleph-ts/sdk/streams'
import type { Command } from 'commander'
import { exitCodes } from '../exit-codes.ts'
import { CliError } from '../failure.ts'
import { Session } from '../session.ts'
import { shownAmount } from '../terminal/printable.ts'
import { fields, table } from '../terminal/table.ts'
import type { Terminal } from '../terminal/terminal.ts'
import { openWallet, rpcOf } from './payment-wallet.ts'

interface StreamOptions {
  rpc?: string
}

const help = `
A machine that is paid by the second runs as long as ALEPH streams to the operator of its node (four fifths) and to the
community (one fifth). One stream to each receiver pays for all your machines there: opening adds to it, closing takes
from it.

Examples:
  aleph payment stream open HASH
  aleph payment stream list --json
  aleph payment stream close HASH`

/** `aleph payment stream`: pay for machines by the second. */
export function paymentStreamCommand(payment: Command, terminal: Terminal): void {
  const stream = payment
    .command('stream')
    .description('pay for machines by the second')
    .addHelpText('after', help)
  const rpc = ['--rpc <url>', 'RPC endpoint of the chain of the stream'] as const
  for (const [name, description] of [
    ['open', 'let what a machine costs flow, more than flows already'],
    ['close', 'let that much less flow'],
  ] as const) {
    stream
      .command(name)
      .argument('<item-hash>', 'the PROGRAM or INSTANCE that is paid')
      .description(description)
      .option(...rpc)
      .action((hash: string, options: StreamOptions, command: Command) =>
        change(Session.of(terminal, command), hash, name, options),
      )
  }
  stream
    .command('list')
    .description('your machines that are paid by the second, and what flows for them')
    .option(...rpc)
    .action((options: StreamOptions, command: Command) => list(Session.of(terminal, command), options))
}

interface StreamedMachine {
  itemHash: string
  rates: StreamRates
  receivers: StreamReceivers
  chain: string
}

async function change(
  session: Session,
  itemHash: string,
  action: 'open' | 'close',
  options: StreamOptions,
): Promise<void> {
  const client = await session.reader()
  const { cost } = await client.getPrice(itemHash, { signal: session.signal })
  const machine = await machineOf(session, client, itemHash, cost)
  const { rates, receivers } = machine
  const streams = await streamsOf(session, machine.chain, options)
  const perHour = formatAmount((rates.operator + rates.community) * 3_600n)
  await session.confirm(
    `${action === 'open' ? 'Open' : 'Close'} streams of ${shownAmount(perHour)} ALEPH an hour?`,
  )
  await (action === 'open' ? streams.add(rates, receivers) : streams.remove(rates, receivers))
  const flowing = await flowTo(streams, receivers)
  const document = {
    item_hash: itemHash,
    action,
    aleph_per_hour: perHour,
    receivers,
    flowing_per_hour: flowing,
  }
  session.output.result(document, () =>
    fields([
      ['item hash', itemHash],
      [action === 'open' ? 'added' : 'taken away', `${shownAmount(perHour)} ALEPH an hour`],
      ['to operator', `${receivers.operator}, now ${shownAmount(flowing.operator)} ALEPH an hour`],
      ['to community', `${receivers.community}, now ${shownAmount(flowing.community)} ALEPH an hour`],
    ]),
  )
}

async function list(session: Session, options: StreamOptions): Promise<void> {
  const client = await session.reader()
  const { address } = await session.identity()
  const costs = await client.listCosts(address, 'superfluid', { signal: session.signal })
  const machines = await Promise.all(
    costs.map(({ itemHash, cost }) => machineOf(session, client, itemHash, cost)),
  )
  const rows = await Promise.all(
    machines.map(async ({ itemHash, rates, receivers, chain }) => ({
      item_hash: itemHash,
      chain,
      ...receivers,
      needed_per_hour: perHour(rates),
      flowing_per_hour: await flowTo(await readerOf(session, chain, address, options), receivers),
    })),
  )
  session.output.result({ address, streams: rows }, () =>
    rows.length === 0
      ? 'No machine of yours is paid by the second.'
      : table(
          ['item hash', 'operator', 'needed an hour', 'flowing an hour'],
          rows.map((row) => [
            row.item_hash,
            row.operator,
            shownAmount(row.needed_per_hour.operator),
            shownAmount(row.flowing_per_hour.operator),
          ]),
        ),
  )
}

async function machineOf(
  session: Session,
  client: AlephClient,
  itemHash: string,
  cost: string,
): Promise<StreamedMachine> {
  const { message } = await client.getMessage(itemHash, { signal: session.signal })
  const { payment, time } = (message?.content ?? { time: 0 }) as {
    payment?: { type?: string; chain?: string; receiver?: string }
    time: number
  }
  if (payment?.type !== 'superfluid' || !payment.receiver || !payment.chain) {
    throw new CliError('not_streamed', `${itemHash} is not paid by the second`, {
      exitCode: exitCodes.usage,
      hint: 'Its message says how it is paid: see "aleph message get".',
    })
  }
  const community = await communityOf(session, client)
  const sharesWithCommunity = community !== null && time > community.since
  return {
    itemHash,
    chain: payment.chain,
    rates: requiredStreams([{ cost, sharesWithCommunity }]),
    receivers: { operator: payment.receiver, community: community?.wallet ?? payment.receiver },
  }
}

async function communityOf(session: Session, client: AlephClient) {
  const { name } = await session.network()
  const profile = name === 'devnet' ? devnetProfile : mainnetProfile
  const settings = await client.getAggregate(profile.addresses.settings, 'settings', {
    signal: session.signal,
  })
  return communityShare(settings, profile)
}

async function networkOf(session: Session, chain: string) {
  const { streams, name } = await session.network()
  const network = streams.find((stream) => stream.chain === chain)
  if (!network) {
    throw new CliError('no_streams', `${name}: no streams are known on ${chain}`, {
      exitCode: exitCodes.notFound,
    })
  }
  return network
}

async function streamsOf(session: Session, chain: string, { rpc }: StreamOptions): Promise<PaymentStreams> {
  const network = await networkOf(session, chain)
  const { address, provider } = await openWallet(session, rpcOf(network, rpc))
  const { PaymentStreams: Streams } = await import('@aleph-ts/sdk/streams')
  return new Streams({ network, provider, payer: address })
}

/** Reads what flows from an address, without its key. */
async function readerOf(
  session: Session,
  chain: string,
  payer: string,
  { rpc }: StreamOptions,
): Promise<PaymentStreams> {
  const network = await networkOf(session, chain)
  const { PaymentStreams: Streams, httpProvider } = await import('@aleph-ts/sdk/streams')
  return new Streams({ network, provider: httpProvider(rpcOf(network, rpc)), payer })
}

/** ALEPH an hour, decimal text. */
async function flowTo(streams: PaymentStreams, { operator, community }: StreamReceivers) {
  const [toOperator, toCommunity] = [await streams.rate(operator), await streams.rate(community)]
  return perHour({ operator: toOperator, community: toCommunity })
}

function perHour({ operator, community }: StreamRates) {
  return { operator: formatAmount(operator * 3_600n), community: formatAmount(community * 3_600n) }
}
