import { type Command, InvalidArgumentError } from 'commander'
import { Session } from '../session.ts'
import { creditHistoryTable } from '../terminal/credit-history.ts'
import { fields } from '../terminal/table.ts'
import type { Terminal } from '../terminal/terminal.ts'

const sendHelp = `
A dollar is a million credits. What you give expires no later than what it is taken from.

Examples:
  aleph credits send 0x… 1000000`

/** `aleph credits`: what machines and files are paid with. */
export function creditsCommand(root: Command, terminal: Terminal): void {
  const credits = root.command('credits').description('what an address can spend, and what it spent')
  credits
    .command('show')
    .argument('[address]', 'whose (default: yours)')
    .description('the balance and the last entries')
    .addHelpText('after', '\nExamples:\n  aleph credits show\n  aleph credits show 0x… --json')
    .action((address: string | undefined, _options: object, command: Command) =>
      show(Session.of(terminal, command), address),
    )
  credits
    .command('send')
    .argument('<address>', 'to whom')
    .argument('<amount>', 'whole credits', asAmount)
    .description('give credits away')
    .addHelpText('after', sendHelp)
    .action((address: string, amount: number, _options: object, command: Command) =>
      send(Session.of(terminal, command), address, amount),
    )
}

async function show(session: Session, asked: string | undefined): Promise<void> {
  const { signal } = session
  const address = asked ?? (await session.identity()).address
  const client = await session.reader()
  const [{ credits }, history] = await Promise.all([
    client.getBalance(address, { signal }),
    client.listCreditHistory(address, { pageSize: 20, signal }),
  ])
  session.output.result({ address, credits, history }, () =>
    [
      fields([
        ['address', address],
        ['credits', credits],
      ]),
      ...(history.length > 0 ? ['', creditHistoryTable(history)] : []),
    ].join('\n'),
  )
}

async function send(session: Session, address: string, amount: number): Promise<void> {
  const { output, signal } = session
  const client = await session.signer()
  const sent = await client.sendCredits([{ address, amount }], { signal })
  if (sent.status === 'pending') await client.waitForMessage(sent.itemHash, { signal })
  const document = { status: 'processed', item_hash: sent.itemHash, to: address, amount }
  output.result(document, () =>
    fields([
      ['item hash', sent.itemHash],
      ['to', address],
      ['credits', String(amount)],
    ]),
  )
}

function asAmount(text: string): number {
  const amount = Number(text)
  if (/^\d+$/.test(text) && Number.isSafeInteger(amount) && amount > 0) return amount
  throw new InvalidArgumentError('give whole credits above zero.')
}
