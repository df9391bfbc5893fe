import {
  type MetricsPost,
  metricsPostTypes,
  type NetworkProfile,
  type NetworkScore,
  networkScores,
  readObservations,
  readScoresPeriod,
  type ScoringPeriod,
  scorePostType,
  unexplainedScores,
} from '@aleph-ts/protocol'
import type pg from 'pg'

/** Whoever asks again within this time gets the same answer, ms. */
const freshMs = 5_000

export interface ComputedScores {
  ccn: NetworkScore[]
  crn: NetworkScore[]
}

/** The newest scores that the network believes. */
export interface ScoresPost {
  itemHash: string
  sender: string
  /** The time it is about; null when it does not say. */
  period: ScoringPeriod | null
  content: unknown
}

/**
 * Scores as everybody computes them from the same metrics posts (protocol 06 §4.2), and whether the published ones are
 * those.
 */
export class ScoreBook {
  readonly #pool: pg.Pool
  readonly #profile: NetworkProfile
  #computed: { period: ScoringPeriod; at: number; scores: Promise<ComputedScores> } | undefined

  constructor(options: { pool: pg.Pool; profile: NetworkProfile }) {
    this.#pool = options.pool
    this.#profile = options.profile
  }

  /** The scores of a period, with what each observer found. */
  compute(period: ScoringPeriod): Promise<ComputedScores> {
    const known = this.#computed
    if (known?.period.to === period.to && performance.now() - known.at < freshMs) return known.scores
    const scores = this.#compute(period)
    this.#computed = { period, at: performance.now(), scores }
    scores.catch(() => {
      this.#computed = undefined
    })
    return scores
  }

  async #compute(period: ScoringPeriod): Promise<ComputedScores> {
    const { scoring } = this.#profile
    const observations = readObservations(await this.#metricsPosts(period), period, scoring)
    return networkScores(observations, { diagnosticProgram: scoring.diagnosticProgram !== null })
  }

  /** The newest scores post of a believed sender; null before the first. */
  async latest(): Promise<ScoresPost | null> {
    const { rows } = await this.#pool.query<{ item_hash: string; sender: string; text: string }>(
      `select item_hash, sender, coalesce(content, item_content) as text from messages
       where content_type = $1 and sender = any($2) order by time desc, item_hash desc limit 1`,
      [scorePostType, this.#profile.addresses.scores],
    )
    if (!rows[0]) return null
    const { item_hash: itemHash, sender, text } = rows[0]
    const { content } = JSON.parse(text) as { content: unknown }
    return { itemHash, sender, content, period: readScoresPeriod(content) }
  }

  /** Nodes whose scores in a post are not what the metrics posts of its period give; without a period all of them. */
  async unexplained({ period, content }: ScoresPost): Promise<string[]> {
    return unexplainedScores(content, period ? await this.compute(period) : { ccn: [], crn: [] })
  }

  /** Whether somebody has given scores for a period already. */
  async hasScores(period: ScoringPeriod): Promise<boolean> {
    const latest = await this.latest()
    return latest?.period != null && latest.period.to >= period.to
  }

  async #metricsPosts(period: ScoringPeriod): Promise<MetricsPost[]> {
    const { addresses, channels, scoring } = this.#profile
    const { rows } = await this.#pool.query<{ observer: string; text: string }>(
      `select owner as observer, coalesce(content, item_content) as text from messages
       where content_type = any($1) and owner = any($2) and channel = $3 and time >= $4 and time < $5
       order by time, item_hash`,
      [
        metricsPostTypes,
        addresses.observers,
        channels.scoring,
        period.from,
        period.to + scoring.graceSeconds + backdating,
      ],
    )
    return rows.map(({ observer, text }) => {
      const { time, content } = JSON.parse(text) as { time: number; content: unknown }
      return { observer, time, content }
    })
  }
}

/** The envelope's time and the content's are hardly ever more than this apart, seconds. */
const backdating = 60
