import { type AlephClient, AlephError, ComputeNodeClient } from '@aleph-ts/sdk'
import type { Command } from 'commander'
import { exitCodes } from '../exit-codes.ts'
import { CliError } from '../failure.ts'
import { Session } from '../session.ts'
import { fields } from '../terminal/table.ts'
import type { Terminal } from '../terminal/terminal.ts'

interface DeleteOptions {
  reason?: string
}

const help = `
Its compute node stops it and deletes its disks, then the network forgets it and it costs nothing any more. This cannot
be undone. Streams of tokens that pay for it are yours to close: aleph payment stream close HASH.

Example:
  aleph instance delete HASH`

/** `aleph instance delete`. */
export function deleteCommand(instance: Command, terminal: Terminal): void {
  instance
    .command('delete')
    .argument('<hash>', 'item hash of an instance of yours')
    .description('remove an instance and its disks for good')
    .option('--reason <text>', 'kept in the message')
    .addHelpText('after', help)
    .action((hash: string, options: DeleteOptions, command: Command) =>
      remove(Session.of(terminal, command), hash, options),
    )
}

async function remove(session: Session, hash: string, { reason }: DeleteOptions): Promise<void> {
  const { output, signal } = session
  const client = await session.signer()
  await assertInstance(client, hash, signal)
  await session.confirm(`Delete the instance ${hash} and its disks?`)
  const step = output.step('Erasing it at its compute node')
  const isErased = await erase(session, client, hash)
  step.update('Forgetting the instance')
  const sent = await client.forget(
    { hashes: [hash], ...(reason === undefined ? {} : { reason }) },
    { signal },
  )
  if (sent.status === 'pending') await client.waitForMessage(sent.itemHash, { signal })
  step.done('Deleted')
  const document = {
    status: 'processed',
    item_hash: sent.itemHash,
    type: 'FORGET',
    instance: hash,
    erased: isErased,
  }
  output.result(document, () =>
    fields([
      ['deleted', hash],
      ['disks', isErased ? 'erased' : 'its compute node did not answer, and erases them by itself'],
      ['by message', sent.itemHash],
    ]),
  )
}

async function assertInstance(client: AlephClient, hash: string, signal: AbortSignal): Promise<void> {
  const { status, message } = await client.getMessage(hash, { signal })
  if (message?.type === 'INSTANCE') return
  throw new CliError(
    'not_an_instance',
    `${hash} is no instance on this network (${message?.type ?? status})`,
    {
      exitCode: exitCodes.notFound,
      hint: 'See "aleph instance list".',
    },
  )
}

/** False when its compute node cannot be asked: a node that is away must not keep its owner paying. */
async function erase(session: Session, client: AlephClient, hash: string): Promise<boolean> {
  const { signal, output } = session
  const url = (await client.getAllocation(hash, { signal }))?.computeNode.url
  if (url === undefined) return true
  try {
    await new ComputeNodeClient(url, { account: client.context.account! }).operate(hash, 'erase', { signal })
    return true
  } catch (error) {
    signal.throwIfAborted()
    if (!(error instanceof AlephError)) throw error
    output.note(error.message)
    return error.code === 'not_found'
  }
}
