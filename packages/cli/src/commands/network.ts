import { createClientContext, getNodeVersion } from '@aleph-ts/sdk'
import type { Command } from 'commander'
import { Session } from '../session.ts'
import { fields, table } from '../terminal/table.ts'
import type { Terminal } from '../terminal/terminal.ts'

const help = `
Without --network: a devnet that runs in this folder or above, else mainnet.

Examples:
  aleph network
  aleph network --network http://127.0.0.1:4024
  ALEPH_NETWORK=mainnet aleph network --json`

/** `aleph network`: where commands go, and whether somebody is there. */
export function networkCommand(root: Command, terminal: Terminal): void {
  root
    .command('network')
    .description('show which network commands talk to')
    .addHelpText('after', help)
    .action(async (_options: object, command: Command) => showNetwork(Session.of(terminal, command)))
}

async function showNetwork(session: Session): Promise<void> {
  const network = await session.network()
  const coreNodes = await Promise.all(
    network.apiUrls.map(async (url) => ({ url, version: await versionOf(url, session.signal) })),
  )
  const { name, source, computeNodes, runtimes } = network
  const document = {
    name,
    source,
    reachable: coreNodes.some((node) => node.version !== null),
    core_nodes: coreNodes,
    compute_nodes: computeNodes.map(({ url, coreNode }) => ({ url, core_node: coreNode })),
    accounts: network.accounts.map(({ address, aleph }, index) => ({
      name: `devnet:${index}`,
      address,
      aleph,
    })),
    runtimes,
  }
  session.output.result(document, () => {
    const parts = [
      fields([
        ['network', session.output.style('bold', name)],
        ['known from', source],
        ['runtimes', Object.keys(runtimes).join(', ')],
      ]),
      table(
        ['core node', 'version'],
        coreNodes.map((node) => [node.url, node.version ?? session.output.style('red', 'does not answer')]),
      ),
    ]
    if (computeNodes.length > 0) {
      parts.push(
        table(
          ['compute node', 'of core node'],
          computeNodes.map((node) => [node.url, node.coreNode]),
        ),
      )
    }
    return parts.join('\n\n')
  })
}

async function versionOf(url: string, signal: AbortSignal): Promise<string | null> {
  const context = createClientContext({ apiUrl: url, retries: 0 })
  return getNodeVersion(context, { signal, timeoutMs: 5_000 }).catch(() => {
    signal.throwIfAborted()
    return null
  })
}
