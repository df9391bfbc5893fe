import type { CoreNodeContext } from '../context.ts'
import { dropUnpinnedFiles, graceSeconds, knownFiles } from '../state/files.ts'

const periodMs = 4 * 3600 * 1000
const hashesPerQuestion = 500

/** Deletes the files that nothing keeps: uploads nobody claimed, files of forgotten messages, abandoned downloads. */
export class GarbageCollector {
  readonly #context: Pick<CoreNodeContext, 'pool' | 'fileStore' | 'logger'>
  #timer: NodeJS.Timeout | undefined
  #running: Promise<void> = Promise.resolve()

  constructor(context: Pick<CoreNodeContext, 'pool' | 'fileStore' | 'logger'>) {
    this.#context = context
  }

  start(): void {
    this.#timer = setInterval(() => {
      this.#running = this.collect().catch((error) => {
        this.#context.logger.warn({ err: error }, 'unused files were not deleted')
      })
    }, periodMs)
    this.#timer.unref()
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer)
    await this.#running
  }

  /** One round. Files younger than the grace period stay: their row may be about to be written. */
  async collect(now = Date.now()): Promise<void> {
    await dropUnpinnedFiles(this.#context.pool)
    let batch: string[] = []
    for await (const hash of this.#context.fileStore.list()) {
      batch.push(hash)
      if (batch.length < hashesPerQuestion) continue
      await this.#sweep(batch, now)
      batch = []
    }
    await this.#sweep(batch, now)
  }

  async #sweep(hashes: string[], now: number): Promise<void> {
    const { pool, fileStore } = this.#context
    const known = await knownFiles(pool, hashes)
    for (const hash of hashes) {
      if (known.has(hash)) continue
      const writtenAt = await fileStore.writtenAt(hash)
      if (writtenAt && now - writtenAt.getTime() > graceSeconds * 1000) await fileStore.delete(hash)
    }
  }
}
