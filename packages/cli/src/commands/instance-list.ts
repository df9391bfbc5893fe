import type { AlephClient, NetworkMessage } from '@aleph-ts/sdk'
import type { Command } from 'commander'
import { Session } from '../session.ts'
import { printable, shownTime } from '../terminal/printable.ts'
import { table } from '../terminal/table.ts'
import type { Terminal } from '../terminal/terminal.ts'
import { pageSize } from './program-list.ts'

interface ListOptions {
  owner?: string
  limit: number
}

/** `aleph instance list`. */
export function listCommand(instance: Command, terminal: Terminal): void {
  instance
    .command('list')
    .description('list the instances of an address, and where they are')
    .option('--owner <address>', 'whose (default: yours)')
    .option('--limit <count>', 'how many, newest first', pageSize, 50)
    .addHelpText('after', '\nExamples:\n  aleph instance list\n  aleph instance list --owner 0x… --json')
    .action((options: ListOptions, command: Command) => list(Session.of(terminal, command), options))
}

async function list(session: Session, { owner: asked, limit }: ListOptions): Promise<void> {
  const owner = asked ?? (await session.identity()).address
  const client = await session.reader()
  const { signal } = session
  const { messages, total } = await client.listMessages({
    types: ['INSTANCE'],
    owners: [owner],
    pageSize: limit,
    signal,
  })
  const instances = await Promise.all(messages.map((message) => describe(client, message, signal)))
  session.output.result({ owner, total, instances }, () => {
    if (instances.length === 0) return `${owner} has no instances.`
    const rows = instances.map((each) => [
      each.item_hash,
      printable(each.name ?? '', 30),
      `${each.memory_mib ?? '?'} MiB`,
      `${each.disk_mib ?? '?'} MiB`,
      shownTime(each.time),
      each.compute_node?.url ?? 'nowhere yet',
    ])
    return table(['item hash', 'name', 'memory', 'disk', 'since', 'compute node'], rows)
  })
}

async function describe(client: AlephClient, message: NetworkMessage, signal: AbortSignal) {
  const content = (message.content ?? {}) as InstanceShape
  const allocation = await client.getAllocation(message.item_hash, { signal })
  return {
    item_hash: message.item_hash,
    name: typeof content.metadata?.name === 'string' ? content.metadata.name : null,
    memory_mib: content.resources?.memory ?? null,
    vcpus: content.resources?.vcpus ?? null,
    disk_mib: content.rootfs?.size_mib ?? null,
    time: message.time,
    compute_node: allocation?.computeNode ?? null,
  }
}

/** What is shown of an instance; other clients leave things out. */
interface InstanceShape {
  metadata?: { name?: unknown } | null
  resources?: { memory?: number; vcpus?: number }
  rootfs?: { size_mib?: number }
}
