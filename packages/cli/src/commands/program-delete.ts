import { errorCodes } from '@aleph-ts/protocol'
import { type AlephClient, type ForgetFields, MessageRejectedError } from '@aleph-ts/sdk'
import type { Command } from 'commander'
import { exitCodes } from '../exit-codes.ts'
import { CliError } from '../failure.ts'
import { Session } from '../session.ts'
import { fields } from '../terminal/table.ts'
import type { Terminal } from '../terminal/terminal.ts'

interface DeleteOptions {
  keepCode?: boolean
  reason?: string
}

const help = `
The program and its code are forgotten by every node; this cannot be undone.

Examples:
  aleph program delete HASH
  aleph program delete HASH --keep-code --yes`

/** `aleph program delete`. */
export function deleteCommand(program: Command, terminal: Terminal): void {
  program
    .command('delete')
    .argument('<hash>', 'item hash of a program of yours')
    .description('remove a program from the network')
    .option('--keep-code', 'keep the stored code, for other programs')
    .option('--reason <text>', 'kept in the message')
    .addHelpText('after', help)
    .action((hash: string, options: DeleteOptions, command: Command) =>
      remove(Session.of(terminal, command), hash, options),
    )
}

async function remove(session: Session, hash: string, options: DeleteOptions): Promise<void> {
  const { output, signal } = session
  const client = await session.signer()
  const code = await codeOf(client, hash, signal)
  await session.confirm(`Forget the program ${hash}${options.keepCode ? '' : ' and its code'}?`)
  const reason = options.reason === undefined ? {} : { reason: options.reason }
  const step = output.step('Forgetting the program')
  const forgotten = await forget(client, { hashes: [hash], ...reason }, signal)
  const isCodeForgotten = !options.keepCode && (await forgetCode(client, code, reason, signal))
  step.done('Forgotten')
  const document = {
    status: 'processed',
    item_hash: forgotten,
    type: 'FORGET',
    program: hash,
    code: { item_hash: code, forgotten: isCodeForgotten },
  }
  output.result(document, () =>
    fields([
      ['forgotten', hash],
      ['code', `${code}${isCodeForgotten ? '' : ' (kept)'}`],
      ['by message', forgotten],
    ]),
  )
}

async function forget(client: AlephClient, params: ForgetFields, signal: AbortSignal): Promise<string> {
  const sent = await client.forget(params, { signal })
  if (sent.status === 'pending') await client.waitForMessage(sent.itemHash, { signal })
  return sent.itemHash
}

/** False when the code stays, because other programs use it or it is somebody else's. */
async function forgetCode(
  client: AlephClient,
  code: string,
  reason: { reason?: string },
  signal: AbortSignal,
): Promise<boolean> {
  try {
    await forget(client, { hashes: [code], ...reason }, signal)
    return true
  } catch (error) {
    const mayStay: readonly (number | null)[] = [errorCodes.FORGET_NOT_ALLOWED, errorCodes.PERMISSION_DENIED]
    if (error instanceof MessageRejectedError && mayStay.includes(error.errorCode)) return false
    throw error
  }
}

async function codeOf(client: AlephClient, hash: string, signal: AbortSignal): Promise<string> {
  const { status, message } = await client.getMessage(hash, { signal })
  const code = message?.content?.code as { ref?: unknown } | undefined
  if (message?.type === 'PROGRAM' && typeof code?.ref === 'string') return code.ref
  throw new CliError('not_a_program', `${hash} is no program on this network (${message?.type ?? status})`, {
    exitCode: exitCodes.notFound,
    hint: 'See "aleph program list".',
  })
}
