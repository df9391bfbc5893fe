import { ComputeNodeClient } from '@aleph-ts/sdk'
import type { Command } from 'commander'
import { exitCodes } from '../exit-codes.ts'
import { CliError } from '../failure.ts'
import { Session } from '../session.ts'
import type { Terminal } from '../terminal/terminal.ts'

/** `aleph program logs`. */
export function logsCommand(program: Command, terminal: Terminal): void {
  program
    .command('logs')
    .argument('<hash>', 'item hash of a program of yours')
    .description('show what a program has written')
    .addHelpText('after', '\nExamples:\n  aleph program logs HASH\n  aleph program logs HASH --json')
    .action((hash: string, _options: object, command: Command) => logs(Session.of(terminal, command), hash))
}

async function logs(session: Session, hash: string): Promise<void> {
  const { signal } = session
  const client = await session.signer()
  const computeNode = (await client.getAllocation(hash, { signal }))?.computeNode
  if (computeNode === undefined) {
    throw new CliError('not_allocated', `No compute node was assigned to ${hash}`, {
      exitCode: exitCodes.notFound,
      hint: `See what became of it: aleph message get ${hash}`,
    })
  }
  const node = new ComputeNodeClient(computeNode.url, { account: client.context.account! })
  const lines = await node.getLogs(hash, { signal })
  session.output.result({ item_hash: hash, compute_node: computeNode, lines }, () =>
    lines.map((line) => line.text).join('\n'),
  )
}
