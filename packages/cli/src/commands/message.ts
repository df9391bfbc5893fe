import { type MessageType, messageTypes } from '@aleph-ts/protocol'
import type { MessageLookup } from '@aleph-ts/sdk'
import { type Command, Option } from 'commander'
import { Session } from '../session.ts'
import { printable, shownTime } from '../terminal/printable.ts'
import { fields, table } from '../terminal/table.ts'
import type { Terminal } from '../terminal/terminal.ts'
import { signCommand } from './message-sign.ts'
import { verifyCommand } from './message-verify.ts'
import { pageSize } from './program-list.ts'

interface ListOptions {
  type?: MessageType
  sender?: string
  owner?: string
  onChannel?: string
  limit: number
}

/** `aleph message`: what is on the network, and messages on their way to it. */
export function messageCommand(root: Command, terminal: Terminal): void {
  const message = root.command('message').description('messages: read, check, sign')
  message
    .command('get')
    .argument('<hash>', 'item hash')
    .description('show one message and its status')
    .addHelpText(
      'after',
      '\nExamples:\n  aleph message get HASH\n  aleph message get HASH --json | jq .message.content',
    )
    .action((hash: string, _options: object, command: Command) => get(Session.of(terminal, command), hash))
  message
    .command('list')
    .description('list processed messages, newest first')
    .addOption(new Option('--type <type>', 'only this type').choices([...messageTypes]))
    .option('--sender <address>', 'only signed by this address')
    .option('--owner <address>', 'only belonging to this address')
    .option('--on-channel <name>', 'only on this channel')
    .option('--limit <count>', 'how many', pageSize, 20)
    .addHelpText(
      'after',
      '\nExamples:\n  aleph message list --type POST --on-channel my-app\n  aleph message list --limit 5 --json',
    )
    .action((options: ListOptions, command: Command) => list(Session.of(terminal, command), options))
  verifyCommand(message, terminal)
  signCommand(message, terminal)
}

async function get(session: Session, hash: string): Promise<void> {
  const lookup = await (await session.reader()).getMessage(hash, { signal: session.signal })
  session.output.result(lookup.raw, () => messageText(lookup))
}

function messageText({
  itemHash,
  status,
  receptionTime,
  message,
  errorCode,
  details,
  forgottenBy,
}: MessageLookup) {
  const head = fields([
    ['item hash', itemHash],
    ['status', status],
    ['type', message?.type],
    ['sender', message?.sender],
    ['chain', message?.chain],
    ['channel', message?.channel],
    ['time', shownTime(message?.time)],
    ['received', shownTime(receptionTime)],
    ['error', errorCode === null ? null : `${errorCode} ${JSON.stringify(details)}`],
    ['forgotten by', forgottenBy.join(', ')],
  ])
  return message?.content ? `${head}\n\n${JSON.stringify(message.content, null, 2)}` : head
}

async function list(session: Session, options: ListOptions): Promise<void> {
  const client = await session.reader()
  const { messages, page, total } = await client.listMessages({
    ...(options.type === undefined ? {} : { types: [options.type] }),
    ...(options.sender === undefined ? {} : { senders: [options.sender] }),
    ...(options.owner === undefined ? {} : { owners: [options.owner] }),
    ...(options.onChannel === undefined ? {} : { channels: [options.onChannel] }),
    pageSize: options.limit,
    signal: session.signal,
  })
  session.output.result({ page, total, messages }, () => {
    if (messages.length === 0) return 'No such messages.'
    const rows = messages.map((each) => [
      each.item_hash,
      each.type,
      printable(each.sender, 44),
      printable(each.channel ?? '', 24),
      shownTime(each.time),
    ])
    return table(['item hash', 'type', 'sender', 'channel', 'time'], rows)
  })
}
