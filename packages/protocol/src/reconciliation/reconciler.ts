import { bytesToHex } from '@noble/hashes/utils.js'
import { type Bound, beginning, compareBounds, end } from './bound.ts'
import { fingerprint, saltBytes, shortId } from './fingerprint.ts'
import {
  decodeAnswers,
  encodeRequest,
  mostNames,
  mostRanges,
  type Question,
  type RangeAnswer,
} from './frames.ts'
import type { MessageSet } from './message-set.ts'
import { ReconciliationError } from './reconciliation-error.ts'

type Task = Question & {
  /** How many times the range was divided. */
  depth: number
}

/** What one answer told. */
export interface Differences {
  /** Hashes of messages that the other holds and we do not; a few that we hold may be among them. */
  missing: string[]
  /** Hashes of messages that we hold and the other does not, the first of each range. */
  surplus: string[]
}

/** Enough for 16^12 messages; a peer that divides further is not honest. */
const maxDepth = 12

/**
 * The asking side of range-based set reconciliation: compares fingerprints of ranges of messages, and divides those that
 * differ until the messages that one side lacks are known by name. Pure: frames out, frames in.
 *
 * Ranges are settled from the beginning on, so what is learnt early may be fetched early; a session that ends before its
 * time loses nothing but the comparison, and the next begins with sets that differ less.
 *
 * @example
 * ```ts
 * const reconciler = new Reconciler(set, crypto.getRandomValues(new Uint8Array(16)))
 * for (let request = reconciler.request(); request; request = reconciler.request()) {
 *   const { missing } = reconciler.take(await ask(request))
 * }
 * ```
 */
export class Reconciler {
  readonly #set: MessageSet
  readonly #salt: Uint8Array
  #tasks: Task[] = [{ lower: beginning, upper: end, want: 'summary', depth: 0 }]
  #asked: Task[] = []

  /** @param salt 16 random bytes, other ones for each session */
  constructor(set: MessageSet, salt: Uint8Array) {
    if (salt.length !== saltBytes) throw new RangeError(`the salt must have ${saltBytes} bytes`)
    this.#set = set
    this.#salt = salt
    this.#tasks = this.#tasks.map((task) => this.#unlessWeHaveNone(task))
  }

  /** The next frame to send; null when the other side's set is known. */
  request(): Uint8Array | null {
    if (this.#tasks.length === 0) return null
    this.#asked = this.#tasks.slice(0, mostRanges)
    return encodeRequest({ salt: this.#salt, questions: this.#asked })
  }

  /**
   * Takes the answer to the last request in.
   *
   * @throws {ReconciliationError} when it is no answer to that
   */
  take(frame: Uint8Array): Differences {
    const answers = decodeAnswers(frame)
    if (answers.length === 0 || answers.length > this.#asked.length) {
      throw new ReconciliationError(`${answers.length} answers to ${this.#asked.length} questions`)
    }
    const found: Differences = { missing: [], surplus: [] }
    const next = answers.flatMap((answer, index) => this.#settle(this.#asked[index]!, answer, found))
    this.#tasks = [...next, ...this.#tasks.slice(answers.length)]
    this.#asked = []
    return found
  }

  /** @returns what is to be asked further about the range */
  #settle(task: Task, answer: RangeAnswer, found: Differences): Task[] {
    if (answer.kind === 'names') {
      if (task.want === 'summary') throw new ReconciliationError('names that nobody asked for')
      return this.#takeNames(task, answer, found)
    }
    if (task.want !== 'summary') throw new ReconciliationError('names were asked for')
    return answer.kind === 'parts'
      ? this.#compareParts(task, answer)
      : this.#compareMessages(task, answer.ids, found)
  }

  #takeNames(task: Task, answer: RangeAnswer & { kind: 'names' }, found: Differences): Task[] {
    found.missing.push(...answer.names)
    if (!answer.rest) return []
    if (task.want !== 'names' || answer.names.length === 0 || !isInside(answer.rest, task)) {
      throw new ReconciliationError('a list does not advance')
    }
    return [{ ...task, lower: answer.rest }]
  }

  #compareParts(task: Task, answer: RangeAnswer & { kind: 'parts' }): Task[] {
    if (task.depth >= maxDepth) throw new ReconciliationError('a range is divided without end')
    const borders = [task.lower, ...answer.inner, task.upper]
    if (borders.some((border, index) => index > 0 && compareBounds(borders[index - 1]!, border) >= 0)) {
      throw new ReconciliationError('the parts of a range are out of order')
    }
    return answer.fingerprints.flatMap((theirs, index) => {
      const part: Task = {
        lower: borders[index]!,
        upper: borders[index + 1]!,
        want: 'summary',
        depth: task.depth + 1,
      }
      const ours = fingerprint(this.#set, this.#salt, this.#set.rank(part.lower), this.#set.rank(part.upper))
      return theirs.every((byte, at) => byte === ours[at]) ? [] : [this.#unlessWeHaveNone(part)]
    })
  }

  #compareMessages(task: Task, ids: Uint8Array[], found: Differences): Task[] {
    const theirs = new Map(ids.map((id) => [bytesToHex(id), id]))
    const from = this.#set.rank(task.lower)
    // Against a far longer list of ours it is cheaper to look up the few names that the other has.
    const until = Math.min(this.#set.rank(task.upper), from + mostNames)
    for (let rank = from; rank < until; rank++) {
      const { digest } = this.#set.at(rank)
      if (!theirs.delete(bytesToHex(shortId(digest, this.#salt))))
        found.surplus.push(this.#set.nameOf(digest))
    }
    const { lower, upper, depth } = task
    return theirs.size > 0 ? [{ lower, upper, depth, want: 'names of', ids: [...theirs.values()] }] : []
  }

  /** Where we have nothing, there is nothing to compare: all names are wanted. */
  #unlessWeHaveNone(task: Task): Task {
    const { lower, upper, depth } = task
    return this.#set.rank(lower) === this.#set.rank(upper) ? { lower, upper, depth, want: 'names' } : task
  }
}

function isInside(bound: Bound, { lower, upper }: Task): boolean {
  return compareBounds(lower, bound) < 0 && compareBounds(bound, upper) < 0
}
