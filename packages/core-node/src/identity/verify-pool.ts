import { Worker } from 'node:worker_threads'
import type { SignedMessage } from '@aleph-ts/protocol'

interface Job {
  messages: SignedMessage[]
  /** A job that was with two threads when they died is not given to a third. */
  deaths: number
  resolve: (verdicts: boolean[]) => void
  reject: (error: unknown) => void
}

/** A thread died twice over the same messages. */
export class VerificationError extends Error {
  readonly code = 'verification_failed'
}

/** Threads that check signatures, so that the thread of the API stays free. They start with the first job. */
export class VerifyPool implements AsyncDisposable {
  readonly #size: number
  readonly #idle: Worker[] = []
  readonly #busy = new Map<Worker, Job>()
  readonly #queue: Job[] = []
  #stopped = false

  constructor(size: number) {
    this.#size = size
  }

  /** @throws {VerificationError} when these messages cannot be checked */
  verify(messages: SignedMessage[]): Promise<boolean[]> {
    const { promise, resolve, reject } = Promise.withResolvers<boolean[]>()
    this.#queue.push({ messages, deaths: 0, resolve, reject })
    this.#next()
    return promise
  }

  /** Ends the threads; what was not answered is refused. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped = true
    const workers = [...this.#idle, ...this.#busy.keys()]
    const open = [...this.#busy.values(), ...this.#queue]
    this.#idle.length = 0
    this.#queue.length = 0
    this.#busy.clear()
    for (const { reject } of open) reject(new VerificationError('The node stops'))
    await Promise.all(workers.map((worker) => worker.terminate()))
  }

  #next(): void {
    while (this.#queue.length > 0 && !this.#stopped) {
      const worker = this.#idle.pop() ?? this.#spawn()
      if (!worker) return
      const job = this.#queue.shift()!
      this.#busy.set(worker, job)
      worker.ref()
      worker.postMessage(job.messages)
    }
  }

  #spawn(): Worker | undefined {
    if (this.#busy.size + this.#idle.length >= this.#size) return undefined
    const worker = new Worker(new URL('./verify-worker.ts', import.meta.url))
    worker.on('message', (verdicts: boolean[]) => {
      const job = this.#busy.get(worker)
      this.#busy.delete(worker)
      this.#idle.push(worker)
      // An idle thread is no reason for the process to live.
      worker.unref()
      job?.resolve(verdicts)
      this.#next()
    })
    worker.on('error', (error) => this.#bury(worker, error))
    worker.on('exit', () => this.#bury(worker, new Error('the thread ended')))
    return worker
  }

  #bury(worker: Worker, cause: unknown): void {
    const at = this.#idle.indexOf(worker)
    if (at >= 0) this.#idle.splice(at, 1)
    const job = this.#busy.get(worker)
    this.#busy.delete(worker)
    if (!job) return
    job.deaths += 1
    if (job.deaths < 2) this.#queue.unshift(job)
    else job.reject(new VerificationError('The signatures could not be checked', { cause }))
    this.#next()
  }
}
