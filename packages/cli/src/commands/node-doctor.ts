import type { ComputeNode, CoreNode } from '@aleph-ts/protocol'
import { minimumScore } from '@aleph-ts/protocol'
import type { AlephClient, NodeList } from '@aleph-ts/sdk'
import type { Command } from 'commander'
import { exitCodes } from '../exit-codes.ts'
import { CliError, ToldFailure } from '../failure.ts'
import { Session } from '../session.ts'
import { printable } from '../terminal/printable.ts'
import type { Terminal } from '../terminal/terminal.ts'
import { type Check, checksText, inspectComputeNode, inspectCoreNode } from './node-checks.ts'

const help = `
Looks at a node the way the network does. Before it is registered, give its URL; afterwards its hash. The exit code is 1
when something is wrong.

Examples:
  aleph node doctor https://worker.example.org
  aleph node doctor HASH --json`

/** `aleph node doctor`: what is wrong with a node. */
export function doctorCommand(node: Command, terminal: Terminal): void {
  node
    .command('doctor')
    .argument('<node>', 'hash of a node, or the URL of a compute node')
    .description('look for what is wrong with a node')
    .addHelpText('after', help)
    .action((subject: string, _options: object, command: Command) =>
      examine(Session.of(terminal, command), subject),
    )
}

async function examine(session: Session, subject: string): Promise<void> {
  const { output, signal } = session
  const checks = /^https?:\/\//.test(subject)
    ? await inspectComputeNode(subject.replace(/\/+$/, ''), '', signal)
    : await examineRegistered(await session.reader(), subject, signal)
  const ok = checks.every((each) => each.ok)
  output.result({ node: subject, ok, checks }, () => checksText(checks, output))
  if (!ok) throw new ToldFailure(exitCodes.failed)
}

async function examineRegistered(client: AlephClient, hash: string, signal: AbortSignal): Promise<Check[]> {
  const nodes = await client.listNodes({ signal })
  const core = nodes.coreNodes.find((each) => each.hash === hash)
  const compute = nodes.computeNodes.find((each) => each.hash === hash)
  if (!core && !compute) {
    const [ignored] = await client.listIgnoredOperations({ node: hash, signal })
    throw new CliError('not_found', `No node is registered as ${printable(hash)}`, {
      exitCode: exitCodes.notFound,
      hint: ignored ? printable(ignored.detail, 200) : 'See "aleph node list".',
    })
  }
  return core
    ? [
        ...coreStanding(core),
        ...(await reach(core.address, (url) => inspectCoreNode(url, core.multiaddress, signal))),
      ]
    : [
        ...computeStanding(compute!, nodes),
        ...(await reach(compute!.address, (url) => inspectComputeNode(url, compute!.stream_reward, signal))),
      ]
}

function coreStanding(node: CoreNode): Check[] {
  return [
    standing('is active', node.status === 'active', `only ${node.total_staked} ALEPH are staked on it`),
    standing(
      'has compute nodes',
      node.resource_nodes.length > 0,
      'nothing is linked to it, which lowers rewards',
    ),
    scored(node),
  ]
}

function computeStanding(node: ComputeNode, { coreNodes }: NodeList): Check[] {
  const parent = coreNodes.find(({ hash }) => hash === node.parent)
  return [
    standing('is linked', node.status === 'linked', 'no core node has linked it, so it gets no VMs'),
    standing('its core node is active', parent?.status === 'active', `${node.parent ?? 'it has none'}`),
    scored(node),
  ]
}

function scored({ score }: CoreNode | ComputeNode): Check {
  const detail = `${score.toFixed(2)}; below ${minimumScore} it earns nothing and gets no VMs`
  return standing('has a score', score >= minimumScore, detail)
}

function standing(name: string, ok: boolean, detail: string): Check {
  return { name, ok, detail }
}

async function reach(address: string, inspect: (url: string) => Promise<Check[]>): Promise<Check[]> {
  const url = address.replace(/\/+$/, '')
  if (url !== '') return inspect(url)
  return [
    standing('has an address', false, 'the registry has none: it is no web address, or another node has it'),
  ]
}
