import type { NodeDetails } from '@aleph-ts/sdk'
import type { Command } from 'commander'
import { exitCodes } from '../exit-codes.ts'
import { CliError } from '../failure.ts'
import { Session } from '../session.ts'
import { fields } from '../terminal/table.ts'
import type { Terminal } from '../terminal/terminal.ts'
import { checksText, inspectComputeNode } from './node-checks.ts'
import { operate } from './node-operation.ts'

interface CoreNodeOptions {
  multiaddress: string
  url?: string
  reward?: string
}

interface ComputeNodeOptions {
  url: string
  reward?: string
  streamReward?: string
  force?: boolean
}

const coreHelp = `
Your address must keep the ALEPH that the network asks of a core node's owner; it stays yours. The network is asked
first whether it would take the registration, and only then anything is signed.

Example:
  aleph node create-ccn my-node --multiaddress /ip4/203.0.113.7/tcp/4025/p2p/Qm…`

const computeHelp = `
The node is looked at first ("aleph node doctor"): what does not answer is not registered, unless with --force.
Afterwards the owner of a core node links it: aleph node link HASH.

Example:
  aleph node create-crn my-worker --url https://worker.example.org --stream-reward 0x…`

/** `aleph node create-ccn` and `create-crn`. */
export function registerCommands(node: Command, terminal: Terminal): void {
  node
    .command('create-ccn')
    .argument('<name>', 'what people see')
    .description('register a core node')
    .requiredOption('--multiaddress <address>', 'where peers reach it, ending in /p2p/<id>')
    .option('--url <url>', 'where its API answers')
    .option('--reward <address>', 'who receives its rewards (default: you)')
    .addHelpText('after', coreHelp)
    .action((name: string, options: CoreNodeOptions, command: Command) =>
      createCoreNode(Session.of(terminal, command), name, options),
    )
  node
    .command('create-crn')
    .argument('<name>', 'what people see')
    .description('register a compute node')
    .requiredOption('--url <url>', 'where it answers')
    .option('--reward <address>', 'who receives its rewards (default: you)')
    .option('--stream-reward <address>', 'who receives streams that pay for VMs')
    .option('--force', 'register it even when it does not answer as it should')
    .addHelpText('after', computeHelp)
    .action((name: string, options: ComputeNodeOptions, command: Command) =>
      createComputeNode(Session.of(terminal, command), name, options),
    )
}

async function createCoreNode(session: Session, name: string, options: CoreNodeOptions): Promise<void> {
  const { multiaddress, url, reward } = options
  if (!/\/p2p\/[A-Za-z0-9]{40,80}$/.test(multiaddress)) {
    throw usage(
      `"${multiaddress}" names no peer`,
      'A multiaddress ends in /p2p/<id>; the node prints it at its start.',
    )
  }
  const details = { name, multiaddress, ...(url && { address: url }), ...(reward && { reward }) }
  const { itemHash, address } = await operate(session, {
    operation: { action: 'create-node', details },
    question: `Register the core node "${name}"?`,
    isDone: (nodes, hash) => nodes.coreNodes.some((each) => each.hash === hash),
  })
  report(session, 'core', itemHash, address, name)
}

async function createComputeNode(session: Session, name: string, options: ComputeNodeOptions): Promise<void> {
  const url = options.url.replace(/\/+$/, '')
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol)) {
    throw usage(`"${options.url}" is no web address`, 'Give it as https://worker.example.org.')
  }
  const details: NodeDetails & { name: string; address: string } = {
    name,
    address: url,
    ...(options.reward && { reward: options.reward }),
    ...(options.streamReward && { stream_reward: options.streamReward }),
  }
  const checks = await inspectComputeNode(url, options.streamReward ?? '', session.signal)
  if (checks.some(({ ok }) => !ok) && !options.force) {
    session.output.note(checksText(checks, session.output))
    const failed = checks.filter(({ ok }) => !ok).map(({ name: check }) => check)
    throw new CliError('not_ready', `${url} is not ready: ${failed.join(', ')}`, {
      exitCode: exitCodes.failed,
      hint: 'Mend it ("aleph node doctor" shows details), or register it as it is with --force.',
    })
  }
  const { itemHash, address } = await operate(session, {
    operation: { action: 'create-resource-node', details },
    question: `Register the compute node "${name}" at ${url}?`,
    isDone: (nodes, hash) => nodes.computeNodes.some((each) => each.hash === hash),
  })
  report(session, 'compute', itemHash, address, name)
}

function report(session: Session, type: string, node: string, owner: string, name: string): void {
  session.output.result({ status: 'processed', type, node, owner, name }, () =>
    fields([
      ['registered', `${type} node "${name}"`],
      ['node', node],
      ['owner', owner],
    ]),
  )
}

function usage(message: string, hint: string): CliError {
  return new CliError('usage', message, { exitCode: exitCodes.usage, hint })
}
