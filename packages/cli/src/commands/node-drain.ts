import { nodeDrainsKey, schedulerChannel } from '@aleph-ts/protocol'
import type { Command } from 'commander'
import { exitCodes } from '../exit-codes.ts'
import { CliError } from '../failure.ts'
import { Session } from '../session.ts'
import { fields } from '../terminal/table.ts'
import type { Terminal } from '../terminal/terminal.ts'

const help = `
Nothing new is placed on a drained compute node. Its programs start on other nodes, its instances move there with their
disks, two at a time. What its owner pinned to the node, pays by the second, or runs with a GPU or confidentially stays.
The owner of the compute node may say so, or the owner of the core node it is linked to.

Examples:
  aleph node drain HASH          before maintenance
  aleph node drain HASH --off    it takes VMs again`

/** `aleph node drain`: empty a compute node before maintenance. */
export function drainCommand(node: Command, terminal: Terminal): void {
  node
    .command('drain')
    .argument('<hash>', 'hash of the compute node')
    .description('empty a compute node before maintenance')
    .option('--off', 'let it take VMs again')
    .addHelpText('after', help)
    .action((hash: string, options: { off?: boolean }, command: Command) =>
      drain(Session.of(terminal, command), hash, !options.off),
    )
}

async function drain(session: Session, hash: string, isDraining: boolean): Promise<void> {
  const { signal, output } = session
  const { address } = await session.identity()
  const client = await session.signer()
  const { coreNodes, computeNodes } = await client.listNodes({ signal })
  const node = computeNodes.find((each) => each.hash === hash)
  if (!node) {
    throw new CliError('unknown_node', `No compute node ${hash} is registered`, {
      exitCode: exitCodes.notFound,
    })
  }
  const parent = coreNodes.find((each) => each.hash === node.parent)
  const mayDrain = [node.owner, parent?.owner].some((owner) => owner?.toLowerCase() === address.toLowerCase())
  if (!mayDrain) {
    throw new CliError('not_yours', `${node.name} is run by ${node.owner}, not by ${address}`, {
      exitCode: exitCodes.forbidden,
      hint: 'Choose the operator with --account.',
    })
  }
  if (isDraining) await session.confirm(`Drain ${node.name}? Its VMs move to other nodes.`)
  const content = { [hash]: isDraining || null }
  const sent = await client.publishAggregate(
    { key: nodeDrainsKey, content },
    { channel: schedulerChannel, signal },
  )
  if (sent.status === 'pending') await client.waitForMessage(sent.itemHash, { signal })
  const document = { item_hash: sent.itemHash, node: hash, draining: isDraining }
  output.result(document, () =>
    fields([
      ['item hash', sent.itemHash],
      ['node', `${node.name} (${hash})`],
      ['drained', isDraining ? 'yes: its VMs move' : 'no: it takes VMs'],
    ]),
  )
}
