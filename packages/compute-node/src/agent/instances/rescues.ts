import type { Logger } from 'pino'
import { AgentError, toAgentError } from '../errors.ts'
import type { WorkloadHost } from '../workloads.ts'
import type { RescueDisks } from './rescue-disks.ts'

export interface RescuesOptions {
  disks: RescueDisks
  workloads: WorkloadHost
  /** Has the node leave the VM alone; and no longer. */
  release: (hash: string) => Promise<void>
  resume: (hash: string) => Promise<boolean>
  /** STORE message of the system that rescues when the owner names none; null: there is none. */
  defaultImage: string | null
  logger: Logger
}

export type RescueState = { state: 'normal' | 'entering' | 'rescue' } | { state: 'failed'; reason: string }

/** Instances that run a system to be rescued with, their own root disk beside it as `vdb` (protocol 05 §20). */
export class Rescues {
  readonly #options: RescuesOptions
  readonly #changing = new Map<string, Promise<void>>()
  readonly #failures = new Map<string, string>()

  constructor(options: RescuesOptions) {
    this.#options = options
  }

  async stateOf(hash: string): Promise<RescueState> {
    if (this.#changing.has(hash)) return { state: 'entering' }
    const reason = this.#failures.get(hash)
    if (reason !== undefined) return { state: 'failed', reason }
    return { state: (await this.#options.disks.find(hash)) ? 'rescue' : 'normal' }
  }

  /** Throws AgentError `conflict` while the instance is, or is about to be, in rescue. */
  async assertNormal(hash: string): Promise<void> {
    const { state } = await this.stateOf(hash)
    if (state === 'normal' || state === 'failed') return
    throw new AgentError('conflict', 'The instance is in rescue mode; leave it with DELETE …/rescue first')
  }

  /**
   * Begins to restart the instance from the image (a STORE message's hash; null: the node's own); `stateOf` tells how
   * it goes. Throws AgentError `conflict`, or `overloaded` when there is no image.
   */
  async enter(hash: string, imageRef: string | null): Promise<void> {
    const image = imageRef ?? this.#options.defaultImage
    if (image === null) {
      throw new AgentError(
        'overloaded',
        'This node has no rescue image; name one with ?item_hash=<STORE hash>',
      )
    }
    await this.assertNormal(hash)
    this.#failures.delete(hash)
    const entering = this.#enter(hash, image).finally(() => this.#changing.delete(hash))
    this.#changing.set(hash, entering)
    entering.catch((error: unknown) => {
      this.#options.logger.warn({ hash, err: error }, 'an instance could not be put in rescue mode')
      this.#failures.set(hash, toAgentError(error).message)
    })
  }

  /** Restarts the instance from its own disk. Throws AgentError `not_found` when it is not in rescue. */
  async leave(hash: string): Promise<void> {
    await this.#changing.get(hash)?.catch(() => {})
    const { disks } = this.#options
    if (!(await disks.find(hash))) throw new AgentError('not_found', 'The instance is not in rescue mode')
    const leaving = this.#leave(hash).finally(() => this.#changing.delete(hash))
    this.#changing.set(hash, leaving)
    await leaving
  }

  async #enter(hash: string, image: string): Promise<void> {
    const { disks } = this.#options
    await disks.make(hash, image)
    try {
      await this.#restart(hash)
    } catch (error) {
      await disks.remove(hash)
      await this.#restart(hash).catch((again: unknown) =>
        this.#options.logger.error({ hash, err: again }, 'an instance did not come back from rescue mode'),
      )
      throw error
    }
  }

  async #leave(hash: string): Promise<void> {
    const { disks, workloads, release } = this.#options
    await release(hash)
    await workloads.stop(hash)
    await disks.remove(hash)
    await this.#start(hash)
  }

  async #restart(hash: string): Promise<void> {
    const { workloads, release } = this.#options
    await release(hash)
    await workloads.stop(hash)
    await this.#start(hash)
  }

  async #start(hash: string): Promise<void> {
    const { workloads, resume } = this.#options
    if (await resume(hash)) await workloads.ensureRunning(hash)
  }
}
