import type { NodeDetails, NodeList, NodeOperation } from '@aleph-ts/sdk'
import type { Command } from 'commander'
import { exitCodes } from '../exit-codes.ts'
import { CliError } from '../failure.ts'
import { Session } from '../session.ts'
import { fields } from '../terminal/table.ts'
import type { Terminal } from '../terminal/terminal.ts'
import { operate } from './node-operation.ts'

type Action = 'link' | 'unlink' | 'drop-node' | 'stake-split' | 'unstake'

interface Change {
  name: string
  action: Action
  description: string
  /** What the hash is of. */
  argument: string
  question: (hash: string) => string
  isDone: (nodes: NodeList, node: string, address: string) => boolean
}

const changes: Change[] = [
  {
    name: 'link',
    action: 'link',
    description: 'take a compute node under your core node',
    argument: 'hash of the compute node',
    question: (hash) => `Link ${hash} to your core node?`,
    isDone: ({ computeNodes }, node) =>
      computeNodes.some(({ hash, parent }) => hash === node && parent !== null),
  },
  {
    name: 'unlink',
    action: 'unlink',
    description: 'end a link, as the owner of either side',
    argument: 'hash of the compute node',
    question: (hash) => `Unlink ${hash}? Its VMs move elsewhere.`,
    isDone: ({ computeNodes }, node) =>
      computeNodes.some(({ hash, parent }) => hash === node && parent === null),
  },
  {
    name: 'stake',
    action: 'stake-split',
    description: 'stake what you hold on a core node, in equal parts with those you stake on already',
    argument: 'hash of the core node',
    question: (hash) => `Stake on ${hash}? Your ALEPH stays where it is.`,
    isDone: (nodes, node, address) => stakersOf(nodes, node).includes(address),
  },
  {
    name: 'unstake',
    action: 'unstake',
    description: 'stop staking on a core node',
    argument: 'hash of the core node',
    question: (hash) => `Stop staking on ${hash}?`,
    isDone: (nodes, node, address) => !stakersOf(nodes, node).includes(address),
  },
  {
    name: 'drop',
    action: 'drop-node',
    description: 'take a node of yours out of the registry',
    argument: 'hash of the node',
    question: (hash) => `Drop ${hash}? Links and stakes end, and the hash never comes back.`,
    isDone: ({ coreNodes, computeNodes }, node) =>
      ![...coreNodes, ...computeNodes].some(({ hash }) => hash === node),
  },
]

const amendable = [
  'name',
  'multiaddress',
  'address',
  'reward',
  'stream_reward',
  'manager',
  'description',
] as const
type AmendOptions = Partial<
  Record<'name' | 'multiaddress' | 'url' | 'reward' | 'streamReward' | 'manager' | 'description', string>
> & {
  lock?: boolean
}

const amendHelp = `
Only what is given changes.

Examples:
  aleph node amend HASH --name better
  aleph node amend HASH --url https://new.example.org --stream-reward 0x…
  aleph node amend HASH --no-lock`

/** `aleph node link`, `unlink`, `stake`, `unstake`, `drop` and `amend`. */
export function changeCommands(node: Command, terminal: Terminal): void {
  for (const change of changes) {
    node
      .command(change.name)
      .argument('<hash>', change.argument)
      .description(change.description)
      .addHelpText('after', `\nExample:\n  aleph node ${change.name} HASH`)
      .action((hash: string, _options: object, command: Command) =>
        apply(Session.of(terminal, command), change, hash),
      )
  }
  node
    .command('amend')
    .argument('<hash>', 'hash of a node of yours')
    .description('change what a node says of itself')
    .option('--name <name>')
    .option('--multiaddress <address>')
    .option('--url <url>')
    .option('--reward <address>')
    .option('--stream-reward <address>')
    .option('--manager <address>', 'who may change these fields besides you')
    .option('--description <text>')
    .option('--lock', 'take no links, or no stakes of strangers')
    .option('--no-lock')
    .addHelpText('after', amendHelp)
    .action((hash: string, options: AmendOptions, command: Command) =>
      amend(Session.of(terminal, command), hash, options, command.getOptionValueSource('lock') === 'cli'),
    )
}

async function apply(session: Session, change: Change, hash: string): Promise<void> {
  const { itemHash, address } = await operate(session, {
    operation: { action: change.action, node: hash },
    question: change.question(hash),
    isDone: (nodes, _operation, actor) => change.isDone(nodes, hash, actor),
  })
  show(session, { action: change.name, node: hash, address, item_hash: itemHash })
}

async function amend(session: Session, hash: string, options: AmendOptions, locks: boolean): Promise<void> {
  const { url, streamReward, lock, ...plain } = options
  const details: NodeDetails = {
    ...plain,
    ...(url === undefined ? {} : { address: url.replace(/\/+$/, '') }),
    ...(streamReward === undefined ? {} : { stream_reward: streamReward }),
    ...(locks ? { locked: lock ?? false } : {}),
  }
  if (Object.keys(details).length === 0) {
    throw new CliError('usage', 'Nothing to change was given', {
      exitCode: exitCodes.usage,
      hint: 'See "aleph node amend --help".',
    })
  }
  const nodes = await (await session.reader()).listNodes({ signal: session.signal })
  const type = nodes.coreNodes.some((each) => each.hash === hash) ? 'core' : 'compute'
  const operation: NodeOperation = { action: 'amend', type, node: hash, details }
  const { itemHash, address } = await operate(session, {
    operation,
    question: `Change ${Object.keys(details).join(', ')} of ${hash}?`,
    isDone: (current) => shows(current, hash, details),
  })
  show(session, { action: 'amend', node: hash, address, item_hash: itemHash })
}

/** Addresses may come out empty when another node has them; the other fields tell. */
function shows({ coreNodes, computeNodes }: NodeList, hash: string, details: NodeDetails): boolean {
  const node = [...coreNodes, ...computeNodes].find((each) => each.hash === hash)
  const fields = amendable.filter((field) => details[field] !== undefined)
  return node !== undefined && fields.every((field) => node[field] === details[field] || node[field] === '')
}

function stakersOf({ coreNodes }: NodeList, node: string): string[] {
  return Object.keys(coreNodes.find(({ hash }) => hash === node)?.stakers ?? {})
}

function show(
  session: Session,
  done: { action: string; node: string; address: string; item_hash: string },
): void {
  session.output.result({ status: 'processed', ...done }, () =>
    fields([
      ['done', done.action],
      ['node', done.node],
      ['by', done.address],
      ['message', done.item_hash],
    ]),
  )
}
