import type { MachineOperation, OperateOptions } from '@aleph-ts/sdk'
import type { Command } from 'commander'
import { Session } from '../session.ts'
import { fields } from '../terminal/table.ts'
import type { Terminal } from '../terminal/terminal.ts'
import { nodeOfVm } from './vm-node.ts'

interface Operation {
  name: Exclude<MachineOperation, 'expire'>
  description: string
  doing: string
  done: string
  /** Asked first, where something is lost. */
  question?: string
}

const operations: Operation[] = [
  { name: 'start', description: 'start an instance that stands still', doing: 'Starting', done: 'started' },
  { name: 'stop', description: 'shut an instance down', doing: 'Shutting down', done: 'stopped' },
  { name: 'reboot', description: 'shut an instance down and start it', doing: 'Rebooting', done: 'rebooted' },
  {
    name: 'reinstall',
    description: 'start an instance anew from its image',
    doing: 'Reinstalling',
    done: 'reinstalled',
    question: 'Reinstall it? What is on its root disk is lost.',
  },
  {
    name: 'erase',
    description: 'stop an instance and delete its disks',
    doing: 'Erasing',
    done: 'erased',
    question: 'Erase it? Its disks are deleted for good.',
  },
]

/** `aleph instance start`, `stop`, `reboot`, `reinstall` and `erase`. */
export function operateCommands(instance: Command, terminal: Terminal): void {
  for (const operation of operations) {
    const command = instance
      .command(operation.name)
      .argument('<hash>', 'item hash of an instance of yours')
      .description(operation.description)
    if (operation.name === 'reinstall') command.option('--keep-volumes', 'keep its persistent volumes')
    command
      .addHelpText('after', `\nExample:\n  aleph instance ${operation.name} HASH`)
      .action((hash: string, options: OperateOptions, self: Command) =>
        operate(Session.of(terminal, self), hash, operation, options),
      )
  }
}

async function operate(
  session: Session,
  hash: string,
  { name, doing, done, question }: Operation,
  { keepVolumes = false }: OperateOptions,
): Promise<void> {
  const { node, computeNode } = await nodeOfVm(session, hash)
  if (question !== undefined) await session.confirm(question)
  const step = session.output.step(doing)
  try {
    await node.operate(hash, name, { keepVolumes, signal: session.signal })
  } catch (error) {
    step.fail(`Not ${done}`)
    throw error
  }
  step.done('Done')
  session.output.result({ item_hash: hash, operation: name, compute_node: computeNode }, () =>
    fields([
      [done, hash],
      ['compute node', computeNode.url],
    ]),
  )
}
