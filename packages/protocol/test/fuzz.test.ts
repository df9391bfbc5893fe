import { inspect } from 'node:util'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, test } from 'vitest'
import {
  canonicalSignature,
  type Envelope,
  ProtocolError,
  parseEnvelope,
  parseFetchedContent,
  parseInlineContent,
  signatureScheme,
  smartWalletCall,
  verifySignature,
} from '../src/index.ts'
import { damagedMessages } from './fuzz/messages.ts'

const count = 100_000
const seed = 20_261_121
const mebibyte = 2 ** 20

/** Everything this package says about one message by itself. */
function judge(raw: unknown, index: number): void {
  const envelope = parseEnvelope(raw)
  if (envelope.signature !== null) judgeSignature(envelope, index)
  const { content } =
    envelope.item_type === 'inline' ? parseInlineContent(envelope) : parseFetchedContent(envelope, '{}')
  expect(Object.getPrototypeOf(content)).toBe(Object.prototype)
}

function judgeSignature(envelope: Envelope, index: number): void {
  const canonical = canonicalSignature(envelope.chain, envelope.signature!)
  if (canonicalSignature(envelope.chain, canonical) !== canonical) throw new Error('no one stored form')
  smartWalletCall(envelope, '0x')
  // Milliseconds each; the others are checked every time.
  const isSlow = ['substrate', 'neo', 'tezos'].includes(String(signatureScheme(envelope.chain)))
  if (!isSlow || index % 10 === 0) verifySignature(envelope)
}

/** What is not in order about a refusal, or null. */
function faultOf(error: unknown): string | null {
  if (!(error instanceof ProtocolError)) return `not a ProtocolError: ${(error as Error)?.stack}`
  const { code, errorCode, message, details } = error
  if (code !== 'INVALID_FORMAT' || errorCode !== 0) return `code ${code}`
  if (message === '' || message.length > 1_000) return `a text of ${message.length} characters`
  if (!details || details.errors.length === 0) return 'no details'
  const bad = details.errors.find((entry) => !isPlaced(entry))
  if (bad !== undefined) return `no place and text: ${JSON.stringify(bad)}`
  const size = JSON.stringify(details).length
  return size > 64 * 1024 ? `${size} characters of details` : null
}

/** Text that begins with a field, or an issue with a path and a text. */
function isPlaced(entry: unknown): boolean {
  if (typeof entry === 'string') return /^[a-z_]+[:. ]/.test(entry)
  const { loc, msg } = entry as { loc?: unknown; msg?: unknown }
  return Array.isArray(loc) && typeof msg === 'string' && msg !== ''
}

function heapAfterCollection(): number {
  setFlagsFromString('--expose-gc')
  ;(runInNewContext('gc') as () => void)()
  return process.memoryUsage().heapUsed
}

test(`${count} damaged messages are each accepted or refused with code, place and text; nothing else happens`, () => {
  const messages = damagedMessages(seed)
  const faults = new Map<string, string>()
  let accepted = 0
  let before = 0
  for (let index = 0; index < count; index++) {
    if (index === 10_000) before = heapAfterCollection()
    const message = messages.next().value
    try {
      judge(message, index)
      accepted++
    } catch (error) {
      const fault = faultOf(error)
      if (fault !== null && faults.size < 5)
        faults.set(fault, `${index}: ${inspect(message, { depth: 4 }).slice(0, 2_000)}`)
    }
  }
  expect(Object.fromEntries(faults)).toEqual({})
  // Neither everything refused at the first check, nor everything let through.
  expect(accepted).toBeGreaterThan(count / 50)
  expect(accepted).toBeLessThan(count / 2)
  expect((heapAfterCollection() - before) / mebibyte).toBeLessThan(32)
  expect(({} as { polluted?: unknown }).polluted).toBeUndefined()
})
