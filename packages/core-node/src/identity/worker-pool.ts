import { Worker } from 'node:worker_threads'
import type { SignedMessage } from '@aleph-ts/protocol'
import type { VerifyJob } from './verify-worker.ts'

/** Why a pool gave no answer: `busy` and `crashed` may be tried again, `stopped` is for good. */
export class WorkerPoolError extends Error {
  readonly code: 'busy' | 'crashed' | 'stopped'

  constructor(code: WorkerPoolError['code'], message: string) {
    super(message)
    this.code = code
  }
}

export interface WorkerPoolOptions {
  /** Threads at most; each is started when there is work that no running one is free for. */
  size: number
  /** Messages that may wait for a thread. */
  mostWaiting: number
  /** The module that threads run; another one than the default only in tests. */
  module?: URL
}

interface Task {
  job: VerifyJob
  resolve: (valid: boolean[]) => void
  reject: (error: WorkerPoolError) => void
  isRetry: boolean
}

/** Threads that check signatures. A thread that dies is replaced, and what it was doing is done once more. */
export class WorkerPool {
  readonly #options: WorkerPoolOptions
  readonly #waiting: Task[] = []
  readonly #idle: Worker[] = []
  readonly #working = new Map<Worker, Task>()
  #waitingMessages = 0
  #stopped = false

  constructor(options: WorkerPoolOptions) {
    this.#options = options
  }

  get size(): number {
    return this.#options.size
  }

  /**
   * Whether each message was signed by its sender, checked by one thread.
   *
   * @throws {WorkerPoolError}
   */
  verify(messages: SignedMessage[]): Promise<boolean[]> {
    if (this.#stopped) return Promise.reject(stopped())
    if (this.#waitingMessages + messages.length > this.#options.mostWaiting) {
      const reason = `${this.#waitingMessages} signatures wait to be checked; try again later`
      return Promise.reject(new WorkerPoolError('busy', reason))
    }
    // Only what is looked at: contents are long, and every byte is copied.
    const job = { messages: messages.map(signedPart) }
    const { promise, resolve, reject } = Promise.withResolvers<boolean[]>()
    this.#waiting.push({ job, resolve, reject, isRetry: false })
    this.#waitingMessages += messages.length
    this.#dispatch()
    return promise
  }

  /** Ends all threads; what they were doing, and what waited, is rejected with `stopped`. */
  async stop(): Promise<void> {
    this.#stopped = true
    const workers = [...this.#idle.splice(0), ...this.#working.keys()]
    const unfinished = [...this.#working.values(), ...this.#waiting.splice(0)]
    this.#working.clear()
    for (const task of unfinished) task.reject(stopped())
    await Promise.all(workers.map((worker) => worker.terminate()))
  }

  #dispatch(): void {
    while (this.#waiting.length > 0) {
      const worker = this.#idle.pop() ?? this.#hire()
      if (!worker) return
      const task = this.#waiting.shift()!
      this.#waitingMessages -= task.job.messages.length
      this.#working.set(worker, task)
      worker.ref()
      worker.postMessage(task.job)
    }
  }

  #hire(): Worker | undefined {
    if (this.#working.size >= this.#options.size) return undefined
    const worker = new Worker(this.#options.module ?? new URL('./verify-worker.ts', import.meta.url))
    worker.on('message', (answer: Uint8Array) => this.#finish(worker, answer))
    // An uncaught error ends the thread too: `exit` follows.
    worker.on('error', () => {})
    worker.on('exit', () => this.#bury(worker))
    return worker
  }

  #finish(worker: Worker, answer: Uint8Array): void {
    const task = this.#working.get(worker)
    if (!task) return
    this.#working.delete(worker)
    this.#idle.push(worker)
    // A thread without work keeps no process alive.
    worker.unref()
    task.resolve(Array.from(answer, (byte) => byte === 1))
    this.#dispatch()
  }

  #bury(worker: Worker): void {
    const task = this.#working.get(worker)
    this.#working.delete(worker)
    const index = this.#idle.indexOf(worker)
    if (index !== -1) this.#idle.splice(index, 1)
    if (!task) return
    if (task.isRetry) {
      task.reject(new WorkerPoolError('crashed', 'the thread that checks signatures ended twice'))
    } else {
      this.#waiting.unshift({ ...task, isRetry: true })
      this.#waitingMessages += task.job.messages.length
    }
    this.#dispatch()
  }
}

function signedPart({ chain, sender, type, item_hash, time, signature }: SignedMessage): SignedMessage {
  return { chain, sender, type, item_hash, time, signature }
}

function stopped(): WorkerPoolError {
  return new WorkerPoolError('stopped', 'the node is stopping')
}
