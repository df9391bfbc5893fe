import type { DayRewards, RewardExplanation } from '@aleph-ts/sdk'
import { type Command, InvalidArgumentError } from 'commander'
import { Session } from '../session.ts'
import { printable, shownAmount } from '../terminal/printable.ts'
import { fields, table } from '../terminal/table.ts'
import type { Terminal } from '../terminal/terminal.ts'

interface RewardOptions {
  day?: string
}

const showHelp = `
Days are of UTC; without --day it is today so far. A day is final once it is over and the chain has confirmed it: then
it is paid.

Examples:
  aleph rewards show
  aleph rewards show --day 2026-11-20 --json`

const explainHelp = `
Every share with the node that earned it: running a compute node (crn), running a core node (ccn), or staking.

Examples:
  aleph rewards explain 0x…
  aleph rewards explain --day 2026-11-20`

/** `aleph rewards`: who earns what, and why. */
export function rewardsCommand(root: Command, terminal: Terminal): void {
  const rewards = root.command('rewards').description('what nodes and stakers earn')
  rewards
    .command('show')
    .description('the rewards of a day')
    .option('--day <day>', 'such as 2026-11-21 (default: today)', asDay)
    .addHelpText('after', showHelp)
    .action((options: RewardOptions, command: Command) => show(Session.of(terminal, command), options))
  rewards
    .command('explain')
    .argument('[address]', 'whose (default: yours)')
    .description('why an address earns what it does')
    .option('--day <day>', 'such as 2026-11-21 (default: today)', asDay)
    .addHelpText('after', explainHelp)
    .action((address: string | undefined, options: RewardOptions, command: Command) =>
      explain(Session.of(terminal, command), address, options),
    )
}

async function show(session: Session, { day = today() }: RewardOptions): Promise<void> {
  const client = await session.reader()
  const rewards = await client.getRewards(day, { signal: session.signal })
  session.output.result(rewards, () => rewardsText(rewards))
}

async function explain(
  session: Session,
  asked: string | undefined,
  { day = today() }: RewardOptions,
): Promise<void> {
  const address = asked ?? (await session.identity()).address
  const client = await session.reader()
  const explanation = await client.explainRewards(day, address, { signal: session.signal })
  session.output.result(explanation, () => explanationText(explanation))
}

function rewardsText(rewards: DayRewards): string {
  const rows = Object.entries(rewards.rewards)
    .sort(([, a], [, b]) => Number(b) - Number(a))
    .map(([address, reward]) => [
      address,
      shownAmount(reward),
      shownAmount(rewards.slashed[address] ?? '0'),
      shownAmount(rewards.paid[address] ?? '0'),
    ])
  return [
    rows.length === 0 ? 'Nobody earns anything.' : table(['address', 'earned', 'slashed', 'paid'], rows),
    '',
    fields([
      ['day', `${rewards.day} (${rewards.closed ? 'final' : 'so far'})`],
      ['total', `${shownAmount(rewards.total)} ALEPH`],
      ['nobody’s', `${shownAmount(rewards.unallocated)} ALEPH`],
      ['development', `${shownAmount(rewards.dev_fund)} ALEPH`],
    ]),
  ].join('\n')
}

function explanationText(explanation: RewardExplanation): string {
  const { address, day, closed, shares, reward, slashed, paid } = explanation
  const rows = shares.map((share) => [
    share.stream,
    share.role,
    share.work ?? '',
    `${printable(share.node, 16)}`,
    shownAmount(share.amount),
    share.slashed ? 'withheld: the node was gone' : '',
  ])
  return [
    rows.length === 0 ? 'No shares.' : table(['stream', 'as', 'for', 'node', 'aleph', ''], rows),
    '',
    fields([
      ['address', address],
      ['day', `${day} (${closed ? 'final' : 'so far'})`],
      ['earned', `${shownAmount(reward)} ALEPH`],
      ['slashed', `${shownAmount(slashed)} ALEPH`],
      ['paid', `${shownAmount(paid)} ALEPH`],
    ]),
  ].join('\n')
}

function today(): string {
  return new Date().toISOString().slice(0, 10)
}

function asDay(text: string): string {
  if (/^\d{4}-\d{2}-\d{2}$/.test(text) && !Number.isNaN(Date.parse(text))) return text
  throw new InvalidArgumentError('Give it as 2026-11-21.')
}
