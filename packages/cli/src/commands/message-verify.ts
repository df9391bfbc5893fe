import { setImmediate } from 'node:timers/promises'
import { judgeMessage, type MessageJudgement } from '@aleph-ts/protocol'
import type { Command } from 'commander'
import { exitCodes } from '../exit-codes.ts'
import { ToldFailure } from '../failure.ts'
import { Session } from '../session.ts'
import { readText } from '../terminal/input.ts'
import { printable } from '../terminal/printable.ts'
import { table } from '../terminal/table.ts'
import type { Terminal } from '../terminal/terminal.ts'

const help = `
Each file holds one message, an array of messages, or one message a line. Messages may be as clients send them or as
nodes serve them. Checked are shape, hash, signature and the schema of inline content, with the code of the nodes; no
network is asked, so permissions, payment and content kept elsewhere are not looked at.

With --json one line a message: {"item_hash","valid","reason","detail"}. Reasons: format, item_hash,
missing-signature, signature. The exit code is 0 when every message is valid, else 1.

Examples:
  aleph message verify message.json
  aleph message get HASH --json | jq .message | aleph message verify -
  aleph message verify export/*.jsonl --json | jq -c 'select(.valid | not)'`

/** `aleph message verify`. */
export function verifyCommand(message: Command, terminal: Terminal): void {
  message
    .command('verify')
    .argument('<files...>', 'JSON files; - for standard input')
    .description('check messages without asking anybody')
    .addHelpText('after', help)
    .action((files: string[], _options: object, command: Command) =>
      verify(Session.of(terminal, command), files),
    )
}

/** Judging takes up to some milliseconds a message: between batches the user may interrupt. */
const batchSize = 200

async function verify(session: Session, files: string[]): Promise<void> {
  const { output, terminal } = session
  const invalid: MessageJudgement[] = []
  let count = 0
  for (const file of files) {
    for (const judgement of judgementsOf(await readText(terminal, file))) {
      count += 1
      if (judgement.fault !== null) invalid.push(judgement)
      if (output.json) terminal.stdout.write(`${JSON.stringify(lineOf(judgement))}\n`)
      if (count % batchSize === 0) {
        await setImmediate()
        session.signal.throwIfAborted()
      }
    }
  }
  if (!output.json) terminal.stdout.write(`${summary(count, invalid)}\n`)
  if (invalid.length > 0) throw new ToldFailure(exitCodes.failed)
}

function lineOf({ itemHash, fault, detail }: MessageJudgement) {
  return {
    item_hash: itemHash,
    valid: fault === null,
    reason: fault,
    ...(detail === null ? {} : { detail }),
  }
}

function summary(count: number, invalid: MessageJudgement[]): string {
  const valid = count - invalid.length
  const totals = `${valid} of ${count} ${count === 1 ? 'message is' : 'messages are'} valid.`
  if (invalid.length === 0) return totals
  const rows = invalid.map(({ itemHash, fault, detail }) => [
    printable(itemHash ?? '(no item hash)', 64),
    fault ?? '',
    printable(detail ?? '', 100),
  ])
  return `${table(['item hash', 'reason', ''], rows)}\n\n${totals}`
}

function* judgementsOf(text: string): Generator<MessageJudgement> {
  const whole = parsed(text)
  if (!('why' in whole)) {
    for (const message of Array.isArray(whole.value) ? whole.value : [whole.value]) {
      yield judgeMessage(unwrapped(message))
    }
    return
  }
  const lines = text.split('\n').filter((line) => line.trim() !== '')
  // A text whose first line stands alone is meant line by line; of any other, the lines tell nothing.
  const pieces = lines.length > 1 && !('why' in parsed(lines[0]!)) ? lines : [text]
  for (const piece of pieces) {
    const message = parsed(piece)
    yield 'why' in message
      ? { itemHash: null, fault: 'format', detail: `not JSON (${message.why})` }
      : judgeMessage(unwrapped(message.value))
  }
}

function parsed(text: string): { value: unknown } | { why: string } {
  try {
    return { value: JSON.parse(text) }
  } catch (error) {
    return { why: (error as Error).message }
  }
}

/** What is posted to a node, or what it answers about one message, has the message inside. */
function unwrapped(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || 'sender' in value) return value
  return 'message' in value && typeof value.message === 'object' ? value.message : value
}
