import {
  corechannelSchema,
  creditPostTypes,
  type ExpenseRevenue,
  type NetworkProfile,
  type PeriodRewards,
  periodRewards,
  publishedRegistry,
  type RewardDetails,
  type RewardPeriod,
  type RewardShares,
  readExpenseRevenue,
  rewardMoments,
} from '@aleph-ts/protocol'
import type pg from 'pg'
import type { Queryable } from '../chains/queryable.ts'
import type { ComputedRegistry } from '../registry/computed-registry.ts'
import { lastBlockRead } from '../registry/token-moves.ts'
import { heightsAt, isSettledUpTo, readClock } from './confirmed-clock.ts'

export interface DayRewards {
  rewards: PeriodRewards
  details: RewardDetails
  /** First block of the day. */
  startHeight: number
  /** Final: nothing that the chain carries can change them any more. */
  closed: boolean
}

/** The network's rewards cannot be told (now); the message says why. */
export class RewardsUnavailableError extends Error {
  readonly code: 'no_registry' | 'not_yet' | 'busy'
  constructor(code: RewardsUnavailableError['code'], message: string) {
    super(message)
    this.code = code
  }
}

export const daySeconds = 86_400
/** Days whose rewards are remembered. */
const mostDays = 32
/** Computations that may wait for their turn. */
const mostWaiting = 8
/** An open day is computed again after this long, ms. */
const freshMs = 5_000

/**
 * The rewards of a day, computed from confirmed messages and balances alone (protocol 06 §5.2): every node that has
 * read the same chain comes to the same, byte by byte.
 */
export class Rewards {
  readonly #pool: pg.Pool
  readonly #profile: NetworkProfile
  readonly #registry: ComputedRegistry | null
  readonly #days = new Map<number, { at: number; digest: string; rewards: Promise<DayRewards> }>()
  #waiting = 0

  constructor(options: { pool: pg.Pool; profile: NetworkProfile; registry: ComputedRegistry | null }) {
    this.#pool = options.pool
    this.#profile = options.profile
    this.#registry = options.registry
  }

  /**
   * @param from first second of a UTC day
   * @throws {RewardsUnavailableError}
   */
  async ofDay(from: number): Promise<DayRewards> {
    const digest = this.#registry?.view?.digest ?? ''
    const known = this.#days.get(from)
    if (known?.digest === digest && performance.now() - known.at < freshMs) return known.rewards
    const rewards = this.#compute(from)
    this.#days.set(from, { at: performance.now(), digest, rewards })
    if (this.#days.size > mostDays) this.#days.delete(this.#days.keys().next().value!)
    rewards.catch(() => this.#days.delete(from))
    return rewards
  }

  async #compute(from: number): Promise<DayRewards> {
    if (!this.#registry) {
      throw new RewardsUnavailableError('no_registry', 'This node reads no chain, so it computes no rewards')
    }
    if (this.#waiting >= mostWaiting) {
      throw new RewardsUnavailableError('busy', 'Other rewards are being computed; try again later')
    }
    const db = this.#pool
    const clock = await readClock(db)
    if (clock.now === null || clock.now < from) {
      throw new RewardsUnavailableError('not_yet', 'The chain has confirmed nothing of that day yet')
    }
    const period = { from, to: Math.min(from + daySeconds, clock.now) }
    this.#waiting += 1
    try {
      return await this.#ofPeriod(db, period, clock.now >= from + daySeconds)
    } finally {
      this.#waiting -= 1
    }
  }

  async #ofPeriod(db: Queryable, period: RewardPeriod, isOver: boolean): Promise<DayRewards> {
    const { rewards: policy } = this.#profile
    const moments = rewardMoments(period, await loadExpenses(db, this.#profile, period), policy)
    const times = [...moments.map(({ time }) => time), period.to]
    const [startHeight, ...heights] = await heightsAt(db, [period.from, ...times])
    const earned: RewardShares[] = []
    const close = await this.#registry!.exclusively(async (fold) => {
      let last = { registry: corechannelSchema.parse({}), height: -1 }
      let index = 0
      for await (const { state, height } of fold.history(db, heights)) {
        last = { registry: corechannelSchema.parse(publishedRegistry(state)), height }
        earned.push(...(moments[index++]?.earned(last.registry) ?? []))
      }
      return last
    })
    const isFinal = (await lastBlockRead(db)) >= close.height + policy.finalityBlocks
    return {
      ...periodRewards(period, earned, close, policy),
      startHeight: startHeight! + 1,
      closed: isOver && isFinal && (await isSettledUpTo(db, close.height)),
    }
  }
}

/** Confirmed expense posts of those whom the network believes that end in a period. */
async function loadExpenses(
  db: Queryable,
  { addresses, channels }: NetworkProfile,
  period: RewardPeriod,
): Promise<ExpenseRevenue[]> {
  // A post is written soon after what it tells about.
  const { rows } = await db.query<{ item_hash: string; text: string }>(
    `select item_hash, coalesce(content, item_content) as text from messages
     where content_type = $1 and owner = any($2) and channel = any($3) and first_confirmed_height is not null
       and time between $4 and $5 order by item_hash`,
    [
      creditPostTypes.expense,
      addresses.credits,
      channels.credits,
      period.from - daySeconds,
      period.to + 7 * daySeconds,
    ],
  )
  return rows.flatMap(({ item_hash, text }) => {
    const { time, content } = JSON.parse(text) as { time: number; content: unknown }
    return readExpenseRevenue({ itemHash: item_hash, time, content }) ?? []
  })
}
