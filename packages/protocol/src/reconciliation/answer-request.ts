import { bytesToHex } from '@noble/hashes/utils.js'
import { type Bound, boundBetween, end } from './bound.ts'
import { ByteWriter } from './bytes.ts'
import { fingerprint, shortId } from './fingerprint.ts'
import {
  decodeRequest,
  encodeAnswer,
  fanOut,
  maxReconciliationFrameBytes,
  mostNames,
  mostShortIds,
  type Question,
  type RangeAnswer,
} from './frames.ts'
import type { MessageSet } from './message-set.ts'

/** A bound on the work of one answer: each part costs a look into two blocks. */
const maxAnswerBytes = maxReconciliationFrameBytes / 2

/**
 * Answers one request of a {@link Reconciler}: all its questions, or, where that would not fit a frame, the first of
 * them, but at least one. Nothing is remembered between two requests.
 *
 * @returns the frame to send back
 * @throws {ReconciliationError} when the request is none
 */
export function answerReconciliation(set: MessageSet, request: Uint8Array): Uint8Array {
  const { salt, questions } = decodeRequest(request)
  const out = new ByteWriter()
  for (const question of questions) {
    out.raw(encodeAnswer(answer(set, salt, question)))
    if (out.length > maxAnswerBytes) break
  }
  return out.finish()
}

function answer(set: MessageSet, salt: Uint8Array, question: Question): RangeAnswer {
  const [from, to] = [set.rank(question.lower), set.rank(question.upper)]
  if (question.want === 'names') return nameAll(set, from, to)
  if (question.want === 'names of') {
    const wanted = new Set(question.ids.map(bytesToHex))
    // Whoever knows short ids was told them: the range has few messages, or had a moment ago.
    const digests = digestsOf(set, from, Math.min(to, from + mostNames))
    const found = digests.filter((digest) => wanted.has(bytesToHex(shortId(digest, salt))))
    return { kind: 'names', names: found.map((digest) => set.nameOf(digest)), rest: null }
  }
  if (to - from <= mostShortIds) {
    return { kind: 'messages', ids: digestsOf(set, from, to).map((digest) => shortId(digest, salt)) }
  }
  return divide(set, salt, from, to)
}

function divide(set: MessageSet, salt: Uint8Array, from: number, to: number): RangeAnswer {
  const borders = Array.from(
    { length: fanOut + 1 },
    (_, part) => from + Math.floor(((to - from) * part) / fanOut),
  )
  return {
    kind: 'parts',
    inner: borders.slice(1, -1).map((rank) => borderAt(set, rank)),
    fingerprints: borders.slice(1).map((rank, part) => fingerprint(set, salt, borders[part]!, rank)),
  }
}

function nameAll(set: MessageSet, from: number, to: number): RangeAnswer {
  const until = Math.min(to, from + mostNames)
  const names = digestsOf(set, from, until).map((digest) => set.nameOf(digest))
  return { kind: 'names', names, rest: until < to ? borderAt(set, until) : null }
}

/** A border that has so many messages before it. */
function borderAt(set: MessageSet, rank: number): Bound {
  if (rank >= set.size) return end
  return boundBetween(set.at(rank - 1), set.at(rank))
}

function digestsOf(set: MessageSet, from: number, to: number): Uint8Array[] {
  return Array.from({ length: to - from }, (_, index) => set.at(from + index).digest)
}
