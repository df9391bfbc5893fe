import { scorePostType, scoresContent, scoringPeriodAt } from '@aleph-ts/protocol'
import type { CoreNodeContext } from '../context.ts'
import type { OperatorKey } from '../operator-key.ts'
import { publishOwnMessage } from '../own-message.ts'
import { RepeatedWork } from '../repeated-work.ts'
import type { ScoreBook } from './score-book.ts'

export interface ScorePublisherOptions {
  context: Pick<CoreNodeContext, 'profile' | 'inbox' | 'fileStore' | 'logger'>
  scores: ScoreBook
  /** The key of one of the profile's `addresses.scores`. */
  key: OperatorKey
}

/** How often the node looks whether a period is over, ms. */
const periodMs = 5_000

/** Publishes the scores of every period, once the measurements of its observers are in (protocol 06 §4.3). */
export class ScorePublisher {
  readonly #options: ScorePublisherOptions
  readonly #rounds: RepeatedWork

  constructor(options: ScorePublisherOptions) {
    this.#options = options
    this.#rounds = new RepeatedWork({
      work: () => this.publishDue(Date.now() / 1000),
      pauseMs: () => periodMs,
      onError: (error) =>
        options.context.logger.warn({ err: error }, 'scores could not be published; trying again'),
    })
  }

  start(): void {
    this.#rounds.start()
  }

  stop(): Promise<void> {
    return this.#rounds.stop()
  }

  /** Publishes the scores of the last period that is over at a time (epoch seconds), unless that is done. */
  async publishDue(now: number): Promise<void> {
    const { context, scores, key } = this.#options
    const { profile, logger } = context
    const { periodSeconds, graceSeconds } = profile.scoring
    // Twice the grace: what came in time must have reached everybody.
    const period = scoringPeriodAt(now - periodSeconds - 2 * graceSeconds, profile.scoring)
    if (await scores.hasScores(period)) return
    const computed = await scores.compute(period)
    if (computed.ccn.length + computed.crn.length === 0) return
    const itemHash = await publishOwnMessage(context, key, {
      type: 'POST',
      channel: profile.channels.scoring,
      content: { type: scorePostType, content: scoresContent(period, computed) },
    })
    logger.info({ itemHash, from: period.from, to: period.to }, 'scores published')
  }
}
