import { bytesToHex, hexToBytes } from '@noble/hashes/utils.js'
import { isItemHash } from '../hash/item-hash.ts'
import { type Bound, compareBounds, end } from './bound.ts'
import { ByteReader, ByteWriter } from './bytes.ts'
import { saltBytes, shortBytes } from './fingerprint.ts'
import { digestBytes } from './message-block.ts'
import { ReconciliationError } from './reconciliation-error.ts'

/** Ranges of one request, at most. */
export const mostRanges = 512
/** Parts into which a range is divided. */
export const fanOut = 16
/** A range with so many messages is told message by message. */
export const mostShortIds = 16
/** Hashes in one answer, at most. */
export const mostNames = 1000
/** A frame in either direction is never longer, bytes. */
export const maxReconciliationFrameBytes = 512 * 1024

/** One range and what the asker wants to know of it. */
export type Question = { lower: Bound; upper: Bound } & (
  | { want: 'summary' }
  /** The hashes of all messages. */
  | { want: 'names' }
  /** The hashes of these. */
  | { want: 'names of'; ids: Uint8Array[] }
)

export interface ReconciliationRequest {
  salt: Uint8Array
  /** In order, without overlap. */
  questions: Question[]
}

export type RangeAnswer =
  /** So many messages that only parts of the range are told. `inner[i]` ends part i and begins part i + 1. */
  | { kind: 'parts'; inner: Bound[]; fingerprints: Uint8Array[] }
  | { kind: 'messages'; ids: Uint8Array[] }
  /** `rest`: where the messages that are not named yet begin; null when all are. */
  | { kind: 'names'; names: string[]; rest: Bound | null }

const [summaryCode, namesCode, namesOfCode] = [0, 1, 2]
const [partsCode, messagesCode, namedCode] = [0, 1, 2]
const version = 1
const maxTime = 2 ** 53
const maxNameLength = 128

/** Times are written as what they are after the border before. */
class BoundWriter {
  readonly out: ByteWriter
  #time = 0

  constructor(out: ByteWriter) {
    this.out = out
  }

  write({ time, prefix }: Bound): void {
    if (time === end.time) {
      this.out.number(0)
      return
    }
    this.out.number(time - this.#time + 1)
    this.#time = time
    this.out.byte(prefix.length)
    this.out.raw(prefix)
  }
}

class BoundReader {
  readonly #in: ByteReader
  #last: Bound | undefined

  constructor(input: ByteReader) {
    this.#in = input
  }

  read(): Bound {
    const step = this.#in.number(maxTime)
    if (step === 0) return this.#advance(end)
    const time = (this.#last?.time ?? 0) + step - 1
    const length = this.#in.byte()
    if (length > digestBytes || time > maxTime) throw new ReconciliationError('a border is out of bounds')
    return this.#advance({ time, prefix: this.#in.raw(length).slice() })
  }

  #advance(bound: Bound): Bound {
    if (this.#last && compareBounds(this.#last, bound) > 0) throw new ReconciliationError('borders go back')
    this.#last = bound
    return bound
  }
}

export function encodeRequest({ salt, questions }: ReconciliationRequest): Uint8Array {
  const out = new ByteWriter()
  out.byte(version)
  out.raw(salt)
  out.number(questions.length)
  const bounds = new BoundWriter(out)
  for (const question of questions) {
    bounds.write(question.lower)
    bounds.write(question.upper)
    out.byte(question.want === 'summary' ? summaryCode : question.want === 'names' ? namesCode : namesOfCode)
    if (question.want === 'names of') writeIds(out, question.ids)
  }
  return out.finish()
}

/** @throws {ReconciliationError} */
export function decodeRequest(frame: Uint8Array): ReconciliationRequest {
  const input = new ByteReader(frame)
  if (input.byte() !== version) throw new ReconciliationError('unknown version of the protocol')
  const salt = input.raw(saltBytes)
  const bounds = new BoundReader(input)
  const questions = Array.from({ length: input.number(mostRanges) }, (): Question => {
    const [lower, upper] = [bounds.read(), bounds.read()]
    const code = input.byte()
    if (code === summaryCode) return { lower, upper, want: 'summary' }
    if (code === namesCode) return { lower, upper, want: 'names' }
    if (code === namesOfCode) return { lower, upper, want: 'names of', ids: readIds(input) }
    throw new ReconciliationError('unknown question')
  })
  requireEnd(input)
  return { salt, questions }
}

/** The bytes of one answer; a frame is some of them one after the other. */
export function encodeAnswer(answer: RangeAnswer): Uint8Array {
  const out = new ByteWriter()
  const bounds = new BoundWriter(out)
  if (answer.kind === 'parts') {
    out.byte(partsCode)
    out.number(answer.fingerprints.length)
    for (const [index, fingerprint] of answer.fingerprints.entries()) {
      out.raw(fingerprint)
      const bound = answer.inner[index]
      if (bound) bounds.write(bound)
    }
  } else if (answer.kind === 'messages') {
    out.byte(messagesCode)
    writeIds(out, answer.ids)
  } else {
    out.byte(namedCode)
    out.number(answer.names.length)
    for (const name of answer.names) writeName(out, name)
    bounds.write(answer.rest ?? end)
  }
  return out.finish()
}

/** @throws {ReconciliationError} */
export function decodeAnswers(frame: Uint8Array): RangeAnswer[] {
  const input = new ByteReader(frame)
  const answers: RangeAnswer[] = []
  while (!input.done) {
    if (answers.length === mostRanges) throw new ReconciliationError('more answers than questions')
    answers.push(readAnswer(input))
  }
  return answers
}

function readAnswer(input: ByteReader): RangeAnswer {
  const code = input.byte()
  const bounds = new BoundReader(input)
  if (code === partsCode) {
    const count = input.number(fanOut)
    if (count < 2) throw new ReconciliationError('a range was not divided')
    const inner: Bound[] = []
    const fingerprints: Uint8Array[] = []
    for (let index = 0; index < count; index++) {
      fingerprints.push(input.raw(shortBytes))
      if (index < count - 1) inner.push(bounds.read())
    }
    return { kind: 'parts', inner, fingerprints }
  }
  if (code === messagesCode) return { kind: 'messages', ids: readIds(input) }
  if (code !== namedCode) throw new ReconciliationError('unknown answer')
  const names = Array.from({ length: input.number(mostNames) }, () => readName(input))
  const rest = bounds.read()
  return { kind: 'names', names, rest: rest.time === end.time ? null : rest }
}

function writeIds(out: ByteWriter, ids: Uint8Array[]): void {
  out.byte(ids.length)
  for (const id of ids) out.raw(id)
}

function readIds(input: ByteReader): Uint8Array[] {
  const count = input.byte()
  if (count > mostShortIds) throw new ReconciliationError('too many messages in one range')
  return Array.from({ length: count }, () => input.raw(shortBytes))
}

/** Hexadecimal digests as their bytes, after a zero; others as text, after their length. */
function writeName(out: ByteWriter, name: string): void {
  if (name.length === 2 * digestBytes) {
    out.byte(0)
    out.raw(hexToBytes(name))
  } else {
    out.byte(name.length)
    out.raw(new TextEncoder().encode(name))
  }
}

function readName(input: ByteReader): string {
  const length = input.byte()
  if (length === 0) return bytesToHex(input.raw(digestBytes))
  if (length > maxNameLength) throw new ReconciliationError('a hash is too long')
  const name = String.fromCharCode(...input.raw(length))
  if (!isItemHash(name)) throw new ReconciliationError('a hash is none')
  return name
}

function requireEnd(input: ByteReader): void {
  if (!input.done) throw new ReconciliationError('a frame goes on after its end')
}
