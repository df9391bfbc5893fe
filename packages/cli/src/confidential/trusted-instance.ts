import {
  type Envelope,
  type MessageType,
  type ParsedContent,
  parseEnvelope,
  parseInlineContent,
  type TrustedExecution,
} from '@aleph-ts/protocol'
import type { AlephClient } from '@aleph-ts/sdk'
import { exitCodes } from '../exit-codes.ts'
import { CliError } from '../failure.ts'

/** How an instance's message says that it is to be kept from its host. */
export async function trustedExecutionOf(
  client: AlephClient,
  hash: string,
  signal: AbortSignal,
): Promise<TrustedExecution> {
  const { content } = await readMessage(client, hash, 'INSTANCE', signal)
  if (content.environment.trusted_execution) return content.environment.trusted_execution
  throw new CliError('not_confidential', `${hash} is no confidential instance`, {
    exitCode: exitCodes.usage,
    hint: 'Create one: aleph instance create --confidential …',
  })
}

/** Sha256 of the firmware that a STORE message holds. */
export async function firmwareDigest(
  client: AlephClient,
  storeHash: string,
  signal: AbortSignal,
): Promise<string> {
  const { content } = await readMessage(client, storeHash, 'STORE', signal)
  if (/^[0-9a-f]{64}$/.test(content.item_hash)) return content.item_hash
  throw new CliError('firmware_unknown', `The firmware ${storeHash} is kept by another hash than sha256`, {
    hint: 'Tell what it should be: --firmware-hash or --firmware-file.',
  })
}

/** What a message says by its own hash: the node that serves it can tell nothing else. */
async function readMessage<T extends MessageType>(
  client: AlephClient,
  hash: string,
  type: T,
  signal: AbortSignal,
): Promise<ParsedContent<T>> {
  const { message } = await client.getMessage(hash, { signal })
  const envelope = message && parseEnvelope(message)
  if (envelope?.item_hash === hash && isOfType(envelope, type)) return parseInlineContent(envelope)
  throw new CliError('not_found', `${hash} is no message of type ${type}`, { exitCode: exitCodes.notFound })
}

function isOfType<T extends MessageType>(envelope: Envelope, type: T): envelope is Envelope & { type: T } {
  return envelope.type === type
}
