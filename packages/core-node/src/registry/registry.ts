import { type CorechannelAggregate, type RegistryDifference, registryDifferences } from '@aleph-ts/protocol'
import type { CoreNodeContext } from '../context.ts'
import { peerIdOf } from '../gossip/peer-address.ts'
import { ComputedRegistry, type RegistryView } from './computed-registry.ts'
import { PublishedRegistry } from './published-registry.ts'

export type RegistryContext = Pick<CoreNodeContext, 'profile' | 'pool' | 'events' | 'logger'>

/** A difference is told about once it lasts this long: publishing and computing take their time, ms. */
const patienceMs = 120_000

/**
 * Who belongs to the network. Two sources tell: the registry this node computes, and the `corechannel` aggregate that
 * the network's publisher signs. The profile says which one everything goes by; where they lastingly differ, an alarm
 * is raised.
 */
export class Registry {
  readonly #context: RegistryContext
  readonly #listeners = new Set<() => void>()
  readonly #published: PublishedRegistry
  readonly #computed: ComputedRegistry | null
  #corechannel: CorechannelAggregate | null = null
  #peerIds: ReadonlySet<string> = new Set()
  #differences: readonly RegistryDifference[] = []
  #differsSince: number | null = null
  #alarm: NodeJS.Timeout | undefined

  /**
   * @param options.readsChain whether balances are read here; without them no registry can be computed
   */
  constructor(context: RegistryContext, options: { readsChain?: boolean } = {}) {
    this.#context = context
    this.#published = new PublishedRegistry(context, () => this.#update())
    this.#computed = options.readsChain ? new ComputedRegistry(context, () => this.#update()) : null
  }

  async start(): Promise<void> {
    await this.#published.start()
  }

  /** Begins to compute: balances are those of the chain now. */
  startComputing(): void {
    this.#computed?.start()
  }

  async stop(): Promise<void> {
    clearTimeout(this.#alarm)
    await this.#computed?.stop()
    await this.#published.stop()
    this.#listeners.clear()
  }

  /** What everything in this node goes by. */
  get source(): 'computed' | 'published' {
    return this.#computed && this.#context.profile.registry.source === 'computed' ? 'computed' : 'published'
  }

  /** The registered nodes; `null` while there is no registry. */
  get corechannel(): CorechannelAggregate | null {
    return this.#corechannel
  }

  /** The publisher's word, whatever this node goes by. */
  get published(): CorechannelAggregate | null {
    return this.#published.corechannel
  }

  /** The registry this node computes; null when it reads no chain. */
  get computed(): ComputedRegistry | null {
    return this.#computed
  }

  /** The newest computation; null before the first. */
  get view(): RegistryView | null {
    return this.#computed?.view ?? null
  }

  /** Where the published registry is another than the computed one. */
  get differences(): readonly RegistryDifference[] {
    return this.#differences
  }

  /** Whether they differ for so long that somebody should look. */
  get isDivergent(): boolean {
    return this.#differsSince !== null && performance.now() - this.#differsSince >= patienceMs
  }

  /** Peer ids that core nodes are registered with. */
  get peerIds(): ReadonlySet<string> {
    return this.#peerIds
  }

  /** Calls back after every change of the registry, until {@link stop}. */
  onChange(listener: () => void): void {
    this.#listeners.add(listener)
  }

  /** Balances or confirmations changed. */
  wake(): void {
    this.#computed?.wake()
  }

  /** Reads and computes everything again, now. */
  async reload(): Promise<void> {
    await this.#published.reload()
    await this.#computed?.refresh()
  }

  #update(): void {
    const { view } = this
    this.#corechannel = (this.source === 'computed' ? view?.corechannel : this.published) ?? null
    this.#peerIds = new Set(
      this.#corechannel?.nodes.flatMap(({ multiaddress }) => peerIdOf(multiaddress) ?? []),
    )
    this.#compare()
    for (const listener of this.#listeners) listener()
  }

  #compare(): void {
    const { view, published } = this
    if (!view || !published) return
    this.#differences = registryDifferences(published, view.corechannel)
    if (this.#differences.length === 0) {
      if (this.isDivergent) this.#context.logger.info('the published registry is the computed one again')
      this.#differsSince = null
      clearTimeout(this.#alarm)
    } else if (this.#differsSince === null) {
      this.#differsSince = performance.now()
      this.#alarm = setTimeout(() => this.#raiseAlarm(), patienceMs).unref()
    }
  }

  #raiseAlarm(): void {
    const { profile, logger } = this.#context
    logger.error(
      { publisher: profile.addresses.corechannel, differences: this.#differences.slice(0, 20) },
      `the published registry differs from the computed one on ${this.#differences.length} nodes`,
    )
  }
}
