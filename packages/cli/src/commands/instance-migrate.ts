import type { ComputeNode } from '@aleph-ts/protocol'
import type { AlephClient, MigrationStep } from '@aleph-ts/sdk'
import type { Command } from 'commander'
import { exitCodes } from '../exit-codes.ts'
import { CliError } from '../failure.ts'
import { Session } from '../session.ts'
import { wholeNumber } from '../terminal/numbers.ts'
import { printable } from '../terminal/printable.ts'
import { fields } from '../terminal/table.ts'
import type { Terminal } from '../terminal/terminal.ts'

interface MigrateOptions {
  to: string
  timeout: number
}

const help = `
The instance is shut down, its root disk and persistent volumes travel, and it starts on the other node. What does not
work out leaves it where it is.

Examples:
  aleph instance migrate HASH --to worker-2
  aleph instance migrate HASH --to https://worker.example.org --json`

/** `aleph instance migrate`. */
export function migrateCommand(instance: Command, terminal: Terminal): void {
  instance
    .command('migrate')
    .argument('<hash>', 'item hash of an instance of yours')
    .description('move an instance with its disks to another compute node')
    .requiredOption('--to <node>', 'hash, name or URL of the compute node')
    .option('--timeout <seconds>', 'how long it may take', wholeNumber(1, 86_400), 1_800)
    .addHelpText('after', help)
    .action((hash: string, options: MigrateOptions, command: Command) =>
      migrate(Session.of(terminal, command), hash, options),
    )
}

async function migrate(session: Session, hash: string, options: MigrateOptions): Promise<void> {
  const { output, signal } = session
  const client = await session.signer()
  const target = await findNode(client, options.to, signal)
  await session.confirm(`Move ${hash} to ${target.name}? It is off the network meanwhile.`)
  const step = output.step('Asking for the move')
  const onStep = (name: MigrationStep) => (name === 'arrived' ? undefined : step.update(stepTexts[name]))
  try {
    const moved = await client.migrateInstance({
      vmHash: hash,
      to: target.hash,
      timeoutMs: options.timeout * 1000,
      onStep,
      signal,
    })
    step.done('Moved')
    const document = { item_hash: hash, from: moved.from, to: moved.to, url: target.address }
    output.result(document, () =>
      fields([
        ['instance', hash],
        ['from', moved.from],
        ['to', `${printable(target.name)} (${moved.to})`],
        ['url', target.address],
      ]),
    )
  } catch (error) {
    step.fail('Not moved')
    throw error
  }
}

const stepTexts: Record<Exclude<MigrationStep, 'arrived'>, string> = {
  asked: 'Waiting for its core node to begin',
  moving: 'Shut down; its disks travel',
}

/** The linked compute node that a hash, a name or a URL means. */
async function findNode(client: AlephClient, asked: string, signal: AbortSignal): Promise<ComputeNode> {
  const { computeNodes } = await client.listNodes({ type: 'compute', status: 'linked', signal })
  const url = asked.replace(/\/+$/, '')
  const found = computeNodes.filter(
    ({ hash, name, address }) => [hash, name].includes(asked) || address.replace(/\/+$/, '') === url,
  )
  if (found.length === 1) return found[0]!
  const isUnknown = found.length === 0
  throw new CliError(
    isUnknown ? 'unknown_node' : 'ambiguous_node',
    isUnknown ? `No linked compute node is ${asked}` : `${found.length} compute nodes are named ${asked}`,
    {
      exitCode: isUnknown ? exitCodes.notFound : exitCodes.usage,
      hint: 'See "aleph node list --type compute".',
    },
  )
}
