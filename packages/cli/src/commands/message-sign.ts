import {
  type Envelope,
  type MessageType,
  messageTypes,
  ProtocolError,
  parseEnvelope,
} from '@aleph-ts/protocol'
import {
  type AlephClient,
  type BuiltMessage,
  buildMessage,
  type SignedMessage,
  signMessage,
} from '@aleph-ts/sdk'
import { type Command, Option } from 'commander'
import { exitCodes } from '../exit-codes.ts'
import { CliError } from '../failure.ts'
import { Session } from '../session.ts'
import { parseJson, readText } from '../terminal/input.ts'
import type { Terminal } from '../terminal/terminal.ts'

interface SignOptions {
  type?: MessageType
  owner?: string
  send?: boolean
}

const help = `
The file (standard input by default) holds either the content of a message, as a JSON object, with --type; or a whole
message whose signature is made anew. A content keeps its "time" and "address" when it has them.

The signed message is printed, ready for "aleph message verify" or any node. With --send it goes to the network, and
the answer is printed beside it.

Examples:
  echo '{"type":"note","content":{"body":"Hi"}}' | aleph message sign --type POST
  aleph message sign aggregate.json --type AGGREGATE --send
  aleph message sign unsigned.json --account cold-key > signed.json`

/** `aleph message sign`. */
export function signCommand(message: Command, terminal: Terminal): void {
  message
    .command('sign')
    .argument('[file]', 'JSON file; - for standard input', '-')
    .description('sign a message, and send it if asked to')
    .addOption(
      new Option('--type <type>', 'type of the message the content is for').choices([...messageTypes]),
    )
    .option('--owner <address>', 'write for this address, which must have authorised yours')
    .option('--send', 'send it to the network')
    .addHelpText('after', help)
    .action((file: string, options: SignOptions, command: Command) =>
      sign(Session.of(terminal, command), file, options),
    )
}

async function sign(session: Session, file: string, options: SignOptions): Promise<void> {
  const given = parseJson(await readText(session.terminal, file), 'a message')
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    throw new CliError('bad_json', 'Cannot use this as a message: it is no object', {
      exitCode: exitCodes.usage,
    })
  }
  const client = await session.signer()
  const signed = isEnvelope(given)
    ? await signEnvelope(given, client)
    : await signContent(given as Record<string, unknown>, session, client, options)
  if (!options.send) {
    session.output.result(signed.envelope, () => JSON.stringify(signed.envelope, null, 2))
    if (signed.envelope.item_type === 'storage') {
      session.output.note('Its content is too long to travel inside: upload it first, or sign with --send.')
    }
    return
  }
  const sent = await client.send(signed, { signal: session.signal })
  if (sent.status === 'pending') await client.waitForMessage(sent.itemHash, { signal: session.signal })
  const document = { status: 'processed', message: sent.envelope }
  session.output.result(document, () => JSON.stringify(sent.envelope, null, 2))
  session.output.note(`Processed: ${sent.itemHash}`)
}

function isEnvelope(given: object): boolean {
  return 'item_hash' in given && 'item_content' in given
}

async function signEnvelope(given: object, client: AlephClient): Promise<SignedMessage> {
  const account = client.context.account!
  const envelope: Envelope = parseEnvelope({
    sender: account.address,
    chain: account.chain,
    ...given,
    signature: null,
  })
  if (envelope.sender !== account.address || envelope.chain !== account.chain) {
    throw new CliError(
      'wrong_account',
      `The message is from ${envelope.sender} on ${envelope.chain}; the account signs for ${account.address} on ${account.chain}`,
      { exitCode: exitCodes.forbidden, hint: 'Choose the account with --account.' },
    )
  }
  if (envelope.item_content === null) {
    throw new CliError('not_inline', 'Only a message that carries its content can be signed again', {
      exitCode: exitCodes.usage,
      hint: 'Give the content with --type instead.',
    })
  }
  const { signature: _, ...unsigned } = envelope
  const message = { envelope: unsigned, text: envelope.item_content, content: {} } as unknown as BuiltMessage
  return signMessage(message, account)
}

async function signContent(
  given: Record<string, unknown>,
  session: Session,
  client: AlephClient,
  options: SignOptions,
): Promise<SignedMessage> {
  const account = client.context.account!
  const { type } = options
  if (type === undefined) {
    throw new CliError('usage', 'What type of message is this content for?', {
      exitCode: exitCodes.usage,
      hint: `Give --type, one of ${messageTypes.join(', ')}.`,
    })
  }
  const { address, time, ...content } = given
  if (time !== undefined && typeof time !== 'number') {
    throw new ProtocolError('INVALID_FORMAT', { message: 'time: must be a number of seconds since 1970' })
  }
  const owner = options.owner ?? (typeof address === 'string' ? address : undefined)
  const message = buildMessage(type, content, {
    account,
    channel: session.channel,
    ...(owner === undefined ? {} : { owner }),
    ...(time === undefined ? {} : { time }),
  })
  return signMessage(message, account)
}
