import type { MessageSource } from './core-nodes/message-source.ts'
import { AgentError } from './errors.ts'

/** What both programs and instances can be told. */
export interface WorkloadHost {
  /** Starts it as one that stays, or finds it running. Throws AgentError. */
  ensureRunning(hash: string): Promise<void>
  /** Stops it, whatever state it is in; its data stays. */
  stop(hash: string): Promise<void>
  /** Stops it and deletes its root disk, and its volumes if wanted: its next start begins anew, with the same ports. */
  reset(hash: string, what: { volumes: boolean }): Promise<void>
  /** Stops it and deletes everything of it. */
  erase(hash: string): Promise<void>
}

export interface WorkloadsOptions {
  messages: MessageSource
  programs: WorkloadHost
  instances: WorkloadHost
  /** Refuses a VM that nobody pays for. Throws AgentError. */
  assertPaid: (hash: string) => Promise<void>
}

/** Every VM of this node by its item hash, whatever its message's type. */
export class Workloads implements WorkloadHost {
  readonly #options: WorkloadsOptions

  constructor(options: WorkloadsOptions) {
    this.#options = options
  }

  async ensureRunning(hash: string): Promise<void> {
    const host = await this.#hostOf(hash)
    await this.#options.assertPaid(hash)
    return host.ensureRunning(hash)
  }

  async stop(hash: string): Promise<void> {
    // Also when its message is gone from every core node: stopping needs none.
    await Promise.all([this.#options.programs.stop(hash), this.#options.instances.stop(hash)])
  }

  async reset(hash: string, what: { volumes: boolean }): Promise<void> {
    await this.#options.programs.reset(hash, what)
    await this.#options.instances.reset(hash, what)
  }

  async erase(hash: string): Promise<void> {
    await this.#options.programs.erase(hash)
    await this.#options.instances.erase(hash)
  }

  async #hostOf(hash: string): Promise<WorkloadHost> {
    const { envelope } = await this.#options.messages.get(hash)
    if (envelope.type === 'PROGRAM') return this.#options.programs
    if (envelope.type === 'INSTANCE') return this.#options.instances
    throw new AgentError(
      'unsupported',
      `Message ${hash} is of type ${envelope.type}, which does not run here`,
    )
  }
}
