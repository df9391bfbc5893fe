import type { NetworkMessage } from '@aleph-ts/sdk'
import { type Command, InvalidArgumentError } from 'commander'
import { Session } from '../session.ts'
import { printable, shownTime } from '../terminal/printable.ts'
import { table } from '../terminal/table.ts'
import type { Terminal } from '../terminal/terminal.ts'

/** `aleph program list`. */
export function listCommand(program: Command, terminal: Terminal): void {
  program
    .command('list')
    .description('list the programs of an address')
    .option('--owner <address>', 'whose (default: yours)')
    .option('--limit <count>', 'how many, newest first', pageSize, 50)
    .addHelpText('after', '\nExamples:\n  aleph program list\n  aleph program list --owner 0x… --json')
    .action((options: { owner?: string; limit: number }, command: Command) =>
      list(Session.of(terminal, command), options),
    )
}

async function list(session: Session, options: { owner?: string; limit: number }): Promise<void> {
  const owner = options.owner ?? (await session.identity()).address
  const client = await session.reader()
  const { messages, total } = await client.listMessages({
    types: ['PROGRAM'],
    owners: [owner],
    pageSize: options.limit,
    signal: session.signal,
  })
  const programs = messages.map(describe)
  session.output.result({ owner, total, programs }, () => {
    if (programs.length === 0) return `${owner} has no programs.`
    const rows = programs.map((each) => [
      each.item_hash,
      printable(each.name ?? '', 30),
      each.persistent ? 'persistent' : 'on demand',
      `${each.memory_mib ?? '?'} MiB`,
      shownTime(each.time),
    ])
    return table(['item hash', 'name', 'runs', 'memory', 'since'], rows)
  })
}

function describe(message: NetworkMessage) {
  const content = (message.content ?? {}) as ProgramShape
  return {
    item_hash: message.item_hash,
    name: typeof content.metadata?.name === 'string' ? content.metadata.name : null,
    entrypoint: content.code?.entrypoint ?? null,
    persistent: content.on?.persistent ?? false,
    memory_mib: content.resources?.memory ?? null,
    vcpus: content.resources?.vcpus ?? null,
    time: message.time,
  }
}

/** What is shown of a program; other clients leave things out. */
interface ProgramShape {
  metadata?: { name?: unknown } | null
  code?: { entrypoint?: string }
  on?: { persistent?: boolean }
  resources?: { memory?: number; vcpus?: number }
}

export function pageSize(text: string): number {
  const value = Number(text)
  if (Number.isInteger(value) && value >= 1 && value <= 1_000) return value
  throw new InvalidArgumentError('Give a whole number from 1 to 1000.')
}
