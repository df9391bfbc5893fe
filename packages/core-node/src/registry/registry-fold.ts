import {
  applyRegistryEvent,
  cloneRegistry,
  compareRegistryEvents,
  createRegistryState,
  type NetworkProfile,
  type RegistryEvent,
  type RegistryState,
} from '@aleph-ts/protocol'
import type { Queryable } from '../chains/queryable.ts'
import { stakingChain } from '../chains/staking-token.ts'
import {
  endOfPosts,
  type IgnoredPost,
  loadBalancePosts,
  loadConfirmedPosts,
  loadUnconfirmedPosts,
  type ReadPost,
} from './registry-posts.ts'
import { type BlockRange, endOfTransfers, lastBlockRead, loadTokenMoves } from './token-moves.ts'

/** Blocks that a chain may still replace: what they hold is applied anew each time. */
const reorgWindow = 64
/** How many places of the past are kept to go back to, and how many blocks apart they are. */
const mostCheckpoints = 8
const checkpointBlocks = 2_000
/** Posts without effect that are remembered; the oldest go first. */
const mostIgnored = 50_000
/** Rows read at once. */
const transfersAtOnce = 20_000
const postsAtOnce = 500

/** The registry as of one block. */
export interface FoldedRegistry {
  state: RegistryState
  /** Last block whose events are in it. */
  height: number
  ignored: IgnoredPost[]
}

interface Checkpoint {
  height: number
  state: RegistryState
  ignored: IgnoredPost[]
}

/**
 * The registry as a function of what the database holds: transfers, confirmed posts in the order of the chain, and
 * after them the posts no chain has confirmed yet (protocol 06 §2.2). What is too deep in the chain to be replaced is
 * applied once and kept; when something turns up in there after all, it is applied again from the last checkpoint
 * before it.
 */
export class RegistryFold {
  readonly #profile: NetworkProfile
  readonly #decimals: number
  /** Oldest first; the last one is as far as events are settled. */
  #checkpoints: Checkpoint[] = []

  constructor(profile: NetworkProfile) {
    this.#profile = profile
    this.#decimals = profile.tokens.find(({ chain }) => chain === stakingChain)?.decimals ?? 18
  }

  /** Something changed at a block: everything from there on is applied again at the next {@link fold}. */
  invalidate(height: number): void {
    this.#checkpoints = this.#checkpoints.filter((checkpoint) => checkpoint.height < height)
  }

  /** The registry of now, with posts that are not confirmed yet. */
  async fold(db: Queryable): Promise<FoldedRegistry> {
    const head = await lastBlockRead(db)
    const settled = await this.#settle(db, head - reorgWindow)
    const registry = copyOf(settled)
    await this.#apply(db, registry, { after: settled.height, upTo: Number.MAX_SAFE_INTEGER })
    registry.height = head
    this.#applyPosts(registry, await loadUnconfirmedPosts(db, this.#profile, head), [])
    return registry
  }

  /**
   * The registry of the past: as it was after each of these blocks (ascending), by confirmed events alone. The state
   * handed over is that of the moment; it goes on changing when the next one is asked for.
   */
  async *history(db: Queryable, heights: readonly number[]): AsyncGenerator<FoldedRegistry> {
    const first = heights[0] ?? 0
    const start = this.#checkpoints.findLast(({ height }) => height <= first)
    const registry = start ? copyOf(start) : empty()
    for (const height of heights) {
      await this.#apply(db, registry, { after: registry.height, upTo: height })
      yield registry
    }
  }

  async #settle(db: Queryable, upTo: number): Promise<Checkpoint> {
    let settled = this.#checkpoints.at(-1) ?? empty()
    for (const height of stopsBefore(upTo).filter((stop) => stop > settled.height)) {
      const next = copyOf(settled)
      await this.#apply(db, next, { after: settled.height, upTo: height })
      this.#remember(next)
      settled = next
    }
    return settled
  }

  /** The newest place moves along; the ones before it stay a good way apart. */
  #remember(checkpoint: Checkpoint): void {
    const before = this.#checkpoints.at(-2)
    const isNear = checkpoint.height - (before?.height ?? -1) < checkpointBlocks
    if (isNear) this.#checkpoints.pop()
    this.#checkpoints.push(checkpoint)
    if (this.#checkpoints.length > mostCheckpoints) this.#checkpoints.shift()
  }

  async #apply(db: Queryable, registry: Checkpoint, range: BlockRange): Promise<void> {
    let { after } = range
    while (after < range.upTo) {
      const rest = { after, upTo: range.upTo }
      const ends = await Promise.all([
        endOfTransfers(db, rest, transfersAtOnce),
        endOfPosts(db, rest, postsAtOnce),
      ])
      const part = { after, upTo: Math.min(...ends) }
      const [moves, reports, posts] = await Promise.all([
        loadTokenMoves(db, part, this.#decimals),
        loadBalancePosts(db, this.#profile, part),
        loadConfirmedPosts(db, this.#profile, part),
      ])
      this.#applyPosts(registry, [...reports, ...posts], moves)
      after = part.upTo
    }
    registry.height = Math.max(registry.height, range.upTo)
  }

  #applyPosts(registry: Checkpoint, posts: readonly ReadPost[], moves: readonly RegistryEvent[]): void {
    const postOf = new Map<RegistryEvent, ReadPost>()
    for (const read of posts) {
      if ('kind' in read.outcome) postOf.set(read.outcome, read)
      else registry.ignored.push(ignoredPost(read, read.outcome))
    }
    for (const event of [...moves, ...postOf.keys()].sort(compareRegistryEvents)) {
      const reason = applyRegistryEvent(registry.state, event, this.#profile.registry)
      if (reason) registry.ignored.push(ignoredPost(postOf.get(event)!, reason))
    }
    registry.ignored.splice(0, registry.ignored.length - mostIgnored)
  }
}

/** On a long way some places are remembered, more of them towards its end: what comes late is mostly young. */
function stopsBefore(upTo: number): number[] {
  const steps = Array.from({ length: mostCheckpoints - 1 }, (_, step) => checkpointBlocks * 2 ** step)
  return [...steps.reverse().map((blocks) => upTo - blocks), upTo]
}

function empty(): Checkpoint {
  return { height: -1, state: createRegistryState(), ignored: [] }
}

function copyOf({ height, state, ignored }: Checkpoint): Checkpoint {
  return { height, state: cloneRegistry(state), ignored: [...ignored] }
}

function ignoredPost(
  { post, confirmed }: ReadPost,
  { reason, detail }: Pick<IgnoredPost, 'reason' | 'detail'>,
): IgnoredPost {
  const { itemHash, address, ref, time, height, content } = post
  const action = (content as { action?: unknown } | null)?.action
  return {
    itemHash,
    address,
    action: typeof action === 'string' ? action.slice(0, 64) : null,
    ref,
    time,
    height: confirmed ? height : null,
    reason,
    detail,
  }
}
