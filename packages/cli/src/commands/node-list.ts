import type { NodeFilter, NodeList } from '@aleph-ts/sdk'
import { type Command, Option } from 'commander'
import { Session } from '../session.ts'
import { printable, shownAmount } from '../terminal/printable.ts'
import { table } from '../terminal/table.ts'
import type { Terminal } from '../terminal/terminal.ts'

interface ListOptions {
  type?: 'core' | 'compute'
  status?: string
  owner?: string
  mine?: boolean
  full?: boolean
}

const help = `
Examples:
  aleph node list
  aleph node list --mine
  aleph node list worker --type compute --status linked
  aleph node list --json`

/** `aleph node list`: who runs the network. */
export function nodeListCommand(node: Command, terminal: Terminal): void {
  node
    .command('list')
    .argument('[text]', 'a part of a name, an address or a hash')
    .description('nodes of the network')
    .addOption(new Option('--type <type>', 'one kind of nodes').choices(['core', 'compute']))
    .option('--status <status>', 'active or waiting (core nodes), linked or waiting (compute nodes)')
    .option('--owner <address>', 'nodes of one owner')
    .option('--mine', 'nodes of yours')
    .option('--full', 'show whole hashes')
    .addHelpText('after', help)
    .action((text: string | undefined, options: ListOptions, command: Command) =>
      list(Session.of(terminal, command), text, options),
    )
}

async function list(session: Session, text: string | undefined, options: ListOptions): Promise<void> {
  const owner = options.mine ? (await session.identity()).address : options.owner
  const filter: NodeFilter = {
    ...(options.type && { type: options.type }),
    ...(options.status && { status: options.status }),
    ...(owner && { owner }),
    ...(text && { q: text }),
  }
  const nodes = await (await session.reader()).listNodes({ ...filter, signal: session.signal })
  const { source, digest, coreNodes, computeNodes } = nodes
  session.output.result({ source, digest, nodes: coreNodes, resource_nodes: computeNodes }, () =>
    nodesText(nodes, options.full ?? false),
  )
}

function nodesText({ coreNodes, computeNodes }: NodeList, full: boolean): string {
  const shown = (hash: string) => (full ? hash : `${hash.slice(0, 10)}…`)
  const parts: string[] = []
  if (coreNodes.length > 0) {
    const rows = coreNodes.map((node) => [
      shown(node.hash),
      printable(node.name, 32),
      node.status,
      node.score.toFixed(2),
      shownAmount(String(node.total_staked)),
      String(node.resource_nodes.length),
      printable(node.owner, 44),
    ])
    parts.push(table(['core node', 'name', 'status', 'score', 'staked', 'linked', 'owner'], rows))
  }
  if (computeNodes.length > 0) {
    const rows = computeNodes.map((node) => [
      shown(node.hash),
      printable(node.name, 32),
      node.status,
      node.score.toFixed(2),
      node.parent ? shown(node.parent) : '',
      printable(node.address, 60),
    ])
    parts.push(table(['compute node', 'name', 'status', 'score', 'core node', 'address'], rows))
  }
  return parts.join('\n\n') || 'No such nodes.'
}
