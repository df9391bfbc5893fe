import { setTimeout as sleep } from 'node:timers/promises'
import type { AlephClient, NodeList, NodeOperation } from '@aleph-ts/sdk'
import { type ExitCode, exitCodes } from '../exit-codes.ts'
import { CliError } from '../failure.ts'
import type { Session } from '../session.ts'
import { printable } from '../terminal/printable.ts'

/** How long the registry may take to show an operation, ms. */
const patienceMs = 30_000
const pollMs = 250

const exitCodeOf: Record<string, ExitCode> = {
  balance_too_low: exitCodes.unpaid,
  not_owner: exitCodes.forbidden,
  not_authorised: exitCodes.forbidden,
  locked: exitCodes.forbidden,
  unknown_node: exitCodes.notFound,
  owns_core_node: exitCodes.conflict,
  already_linked: exitCodes.conflict,
  already_staking: exitCodes.conflict,
}

const hintOf: Record<string, string> = {
  balance_too_low: 'Only ALEPH on Ethereum counts; see "aleph node list" for what the network asks.',
  unknown_node: 'Give the whole hash; "aleph node list" shows them.',
  owns_no_core_node: 'Register one first: aleph node create-ccn.',
  owns_core_node: 'An address owns one core node; its owner cannot stake.',
  already_linked: 'Its owner, or that of its core node, can unlink it.',
}

export interface OperationRequest {
  operation: NodeOperation
  /** Asked before anything is sent. */
  question: string
  /** Whether the registry shows the effect of the operation with this hash. */
  isDone: (nodes: NodeList, hash: string, address: string) => boolean
}

/**
 * Asks the network what would become of an operation, and only then signs and sends it; resolves when the registry
 * shows it.
 *
 * @returns the item hash of the operation, and who acted
 * @throws {CliError} with the network's reason, before anything is sent where possible
 */
export async function operate(
  session: Session,
  { operation, question, isDone }: OperationRequest,
): Promise<{ itemHash: string; address: string }> {
  const { output, signal } = session
  const { address } = await session.identity()
  const reader = await session.reader()
  const check = await reader.checkNodeOperation(address, operation, { signal })
  if (!check.allowed) throw refused(check.reason ?? 'refused', check.detail ?? 'the network would ignore it')
  await session.confirm(question)
  const client = await session.signer()
  const step = output.step('Sending the operation')
  const sent = await client.publishNodeOperation(operation, { signal })
  if (sent.status === 'pending') await client.waitForMessage(sent.itemHash, { signal })
  step.update('Waiting for the registry')
  await waitForEffect(client, (nodes) => isDone(nodes, sent.itemHash, address), sent.itemHash, signal)
  step.done('The registry shows it')
  return { itemHash: sent.itemHash, address }
}

async function waitForEffect(
  client: AlephClient,
  isDone: (nodes: NodeList) => boolean,
  itemHash: string,
  signal: AbortSignal,
): Promise<void> {
  for (const deadline = Date.now() + patienceMs; Date.now() < deadline; ) {
    if (isDone(await client.listNodes({ signal }))) return
    const ignored = await client.listIgnoredOperations({ node: itemHash, signal })
    const own = ignored.find((each) => each.itemHash === itemHash)
    if (own) throw refused(own.reason, own.detail)
    await sleep(pollMs, undefined, { signal })
  }
  throw new CliError('not_yet', `The registry does not show ${itemHash} yet`, {
    exitCode: exitCodes.unreachable,
    hint: 'The message is processed; look again with "aleph node list".',
  })
}

function refused(reason: string, detail: string): CliError {
  return new CliError(reason, printable(detail, 300), {
    exitCode: exitCodeOf[reason] ?? exitCodes.rejected,
    ...(hintOf[reason] === undefined ? {} : { hint: hintOf[reason] }),
  })
}
