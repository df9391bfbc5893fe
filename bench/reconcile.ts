import { createHash, randomBytes } from 'node:crypto'
import { answerReconciliation, MessageSet, Reconciler } from '@aleph-ts/protocol'

const firstTime = 1_600_000_000_000_000
/** Five years of messages. */
const span = 157_000_000_000_000

/**
 * Two nodes with many messages in common and few of their own, spread over all times or gathered at the end (as after a
 * time away): how many bytes and rounds they need to know which each lacks, beside the messages themselves, and what
 * the set costs in memory.
 */
export async function benchReconcile({ common = 1_000_000, different = 1_000 } = {}) {
  const memoryBefore = memory()
  const started = performance.now()
  const [ours, theirs] = [new MessageSet(), new MessageSet()]
  for (let index = 0; index < common; index++) {
    const time = firstTime + Math.floor((span * index) / common)
    const hash = hashOf(`common ${index}`)
    ours.add(time, hash)
    theirs.add(time, hash)
  }
  const built = performance.now() - started
  const bytesPerMessage = Math.round((memory() - memoryBefore) / (2 * common))
  const same = session(ours, theirs)
  const scattered = disagree({ ours, theirs, different, from: firstTime })
  const recent = disagree({ ours, theirs, different, from: firstTime + Math.floor(span * 0.999) })
  const empty = session(new MessageSet(), theirs)
  return {
    common,
    different,
    'memory, bytes per message': bytesPerMessage,
    'time to build one set, ms': Math.round(built / 2),
    'nothing different': same,
    'differences at all times': scattered,
    'differences in the last thousandth': recent,
    'one side empty': empty,
  }
}

function disagree(options: { ours: MessageSet; theirs: MessageSet; different: number; from: number }) {
  const { ours, theirs, different, from } = options
  const added: [set: MessageSet, time: number, hash: string][] = []
  for (let index = 0; index < different; index++) {
    const time = from + Math.floor(Math.random() * (firstTime + span - from))
    added.push([index % 2 === 0 ? ours : theirs, time, hashOf(`different ${index} ${Math.random()}`)])
  }
  for (const [set, time, hash] of added) set.add(time, hash)
  // Each asks the other: a session tells only the asker what it lacks.
  const result = { ours: session(ours, theirs), theirs: session(theirs, ours) }
  for (const [set, time, hash] of added) set.delete(time, hash)
  return result
}

function session(ours: MessageSet, theirs: MessageSet) {
  const started = performance.now()
  const reconciler = new Reconciler(ours, randomBytes(16))
  let [bytes, rounds, missing, surplus] = [0, 0, 0, 0]
  for (let request = reconciler.request(); request; request = reconciler.request()) {
    const answer = answerReconciliation(theirs, request)
    const found = reconciler.take(answer)
    bytes += request.length + answer.length
    rounds += 1
    missing += found.missing.length
    surplus += found.surplus.length
  }
  return {
    bytes,
    rounds,
    missing,
    surplus,
    'time on both sides, ms': Math.round(performance.now() - started),
  }
}

function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}

function memory(): number {
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return heapUsed + arrayBuffers
}
