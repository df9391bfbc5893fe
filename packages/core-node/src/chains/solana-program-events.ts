import { createHash } from 'node:crypto'
import { base58 } from '@scure/base'

/** What the program says (protocol 04 §13): a batch, or a message. */
export type ProgramEvent =
  | { kind: 'batch'; address: string; message: string }
  | { kind: 'message'; address: string; type: string; content: string }

const invoked = /^Program ([1-9A-HJ-NP-Za-km-z]{32,44}) invoke \[\d+\]$/
const returned = /^Program ([1-9A-HJ-NP-Za-km-z]{32,44}) (success|failed)/
const emitted = /^Program data: ([A-Za-z0-9+/]+={0,2})$/

const batchTag = eventTag('SyncEvent')
const messageTag = eventTag('MessageEvent')

/**
 * The events of one program in the log lines of a transaction. A line counts only while that program runs: any other
 * program may print the same bytes.
 */
export function programEvents(logs: string[], program: string): ProgramEvent[] {
  const running: string[] = []
  const events: ProgramEvent[] = []
  for (const line of logs) {
    const started = invoked.exec(line)
    if (started) running.push(started[1]!)
    else if (returned.test(line)) running.pop()
    const data = running.at(-1) === program ? emitted.exec(line) : null
    const event = data && decodeEvent(Buffer.from(data[1]!, 'base64'))
    if (event) events.push(event)
  }
  return events
}

/** Anchor's layout: a tag of 8 bytes, the key of 32, and texts with their lengths before them. */
function decodeEvent(bytes: Buffer): ProgramEvent | undefined {
  const tag = bytes.subarray(0, 8)
  const isBatch = tag.equals(batchTag)
  if (!isBatch && !tag.equals(messageTag)) return undefined
  const address = bytes.subarray(8, 40)
  const texts = readTexts(bytes.subarray(40), isBatch ? 1 : 2)
  if (address.length < 32 || !texts) return undefined
  const [first, second] = texts as [string, string]
  const event = { address: base58.encode(address) }
  return isBatch
    ? { ...event, kind: 'batch', message: first }
    : { ...event, kind: 'message', type: first, content: second }
}

/** Undefined when the bytes are not exactly so many texts. */
function readTexts(bytes: Buffer, count: number): string[] | undefined {
  const texts: string[] = []
  let offset = 0
  while (texts.length < count) {
    if (offset + 4 > bytes.length) return undefined
    const end = offset + 4 + bytes.readUInt32LE(offset)
    if (end > bytes.length) return undefined
    texts.push(bytes.toString('utf8', offset + 4, end))
    offset = end
  }
  return offset === bytes.length ? texts : undefined
}

function eventTag(name: string): Buffer {
  return createHash('sha256').update(`event:${name}`).digest().subarray(0, 8)
}
