import { isChain, matchesSubscription, messageTypes, type ProgramContent } from '@aleph-ts/protocol'
import { AgentError } from '../errors.ts'

/** What one program may ask for; those beyond it are never called. */
const MAX_PER_PROGRAM = 64
/** Keys of subscriptions by which core nodes choose messages, and what these call them. */
const filters = { type: 'msgTypes', sender: 'addresses', channel: 'channels', chain: 'chains' } as const
/** What fits into one address of a request, characters. */
const MAX_FILTER = 2_000

export interface SubscriptionsOptions {
  /** VMs of this node's plan. */
  planned: () => Iterable<string>
  /** A program's content. Throws AgentError. */
  content: (hash: string) => Promise<ProgramContent>
}

/** Which messages the programs of this node's plan want to hear of (protocol 05 §5.5). */
export class Subscriptions {
  readonly #options: SubscriptionsOptions
  /** By item hash; empty for VMs that want none. */
  #known = new Map<string, Record<string, unknown>[]>()

  constructor(options: SubscriptionsOptions) {
    this.#options = options
  }

  /** Follows the plan; a message that cannot be read yet is looked for the next time. */
  async refresh(): Promise<void> {
    const known = new Map<string, Record<string, unknown>[]>()
    for (const hash of this.#options.planned()) {
      const wanted = this.#known.get(hash) ?? (await this.#read(hash))
      if (wanted) known.set(hash, wanted)
    }
    this.#known = known
  }

  /** Programs that want to hear of a message. */
  matching(message: object): string[] {
    return [...this.#known]
      .filter(([, wanted]) => wanted.some((subscription) => matchesSubscription(subscription, message)))
      .map(([hash]) => hash)
  }

  /** What a core node is asked for: everything wanted, and as little else as its filters allow; null: nothing. */
  query(): Record<string, string> | null {
    const wanted = [...this.#known.values()].flat()
    if (wanted.length === 0) return null
    const query: Record<string, string> = {}
    for (const [key, filter] of Object.entries(filters)) {
      const values = [...new Set(wanted.map((subscription) => subscription[key]))]
      const areTexts = values.every((value) => typeof value === 'string' && /^[^,\0]+$/.test(value))
      const text = values.sort().join(',')
      if (areTexts && text.length <= MAX_FILTER) query[filter] = text
    }
    return query
  }

  async #read(hash: string): Promise<Record<string, unknown>[] | null> {
    try {
      const content = await this.#options.content(hash)
      return (content.on.message ?? []).slice(0, MAX_PER_PROGRAM).filter(mayMatch)
    } catch (error) {
      if (!(error instanceof AgentError)) throw error
      const isOther = error.code === 'not_a_program' || error.code === 'invalid_program'
      return isOther ? [] : null
    }
  }
}

/** Whether any message can have these attributes: core nodes refuse to filter by types and chains that are none. */
function mayMatch({ type, chain }: Record<string, unknown>): boolean {
  const isType = type === undefined || messageTypes.some((known) => known === type)
  return isType && (chain === undefined || (typeof chain === 'string' && isChain(chain)))
}
