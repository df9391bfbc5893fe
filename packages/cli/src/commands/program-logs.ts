import { type Command, InvalidArgumentError } from 'commander'
import { Session } from '../session.ts'
import { wholeNumber } from '../terminal/numbers.ts'
import type { Terminal } from '../terminal/terminal.ts'
import { nodeOfVm } from './vm-node.ts'

interface LogsOptions {
  since?: number
  limit?: number
}

/** `aleph program logs` and `aleph instance logs`. */
export function logsCommand(group: Command, terminal: Terminal): void {
  const kind = group.name()
  group
    .command('logs')
    .argument('<hash>', `item hash of a${kind === 'instance' ? 'n' : ''} ${kind} of yours`)
    .description(`show what ${kind === 'instance' ? 'an instance' : 'a program'} has written`)
    .option('--since <time>', 'only what is younger: ISO 8601, or seconds since 1970', epochSeconds)
    .option('--limit <count>', 'only the last lines', wholeNumber(1, 1_000_000))
    .addHelpText(
      'after',
      `\nExamples:\n  aleph ${kind} logs HASH\n  aleph ${kind} logs HASH --limit 100 --json`,
    )
    .action((hash: string, options: LogsOptions, command: Command) =>
      logs(Session.of(terminal, command), hash, options),
    )
}

async function logs(session: Session, hash: string, options: LogsOptions): Promise<void> {
  const { node, computeNode } = await nodeOfVm(session, hash)
  const lines = await node.getLogs(hash, { ...options, signal: session.signal })
  session.output.result({ item_hash: hash, compute_node: computeNode, lines }, () =>
    lines.map((line) => line.text).join('\n'),
  )
}

function epochSeconds(text: string): number {
  const seconds = /^\d+(\.\d+)?$/.test(text) ? Number(text) : Date.parse(text) / 1000
  if (Number.isFinite(seconds)) return seconds
  throw new InvalidArgumentError('Give a time like 2026-01-31T12:00:00Z, or seconds since 1970.')
}
