import type { NetworkScore } from './network-scores.ts'
import type { ScoringPeriod } from './read-observations.ts'

type Scores = { ccn: readonly NetworkScore[]; crn: readonly NetworkScore[] }

/** Published numbers may have gone through other machines' floating point. */
const tolerance = 1e-9

/** Content of an `aleph-scoring-scores` post (protocol 06 §4.3). */
export function scoresContent(period: ScoringPeriod, scores: Scores) {
  return {
    version: '1.1',
    tags: ['mainnet'],
    period: { from_date: dateText(period.from), to_date: dateText(period.to) },
    scores: { ccn: scores.ccn.map(published), crn: scores.crn.map(published) },
  }
}

/** The period that a scores post says it is about; null when it says none. */
export function readScoresPeriod(content: unknown): ScoringPeriod | null {
  const { from_date: from, to_date: to } =
    (content as { period?: Record<string, unknown> } | null)?.period ?? {}
  const period = { from: secondsOf(from), to: secondsOf(to) }
  return period.from < period.to ? period : null
}

/** Hashes of the nodes to which a scores post gives other scores than its period's metrics posts do, sorted. */
export function unexplainedScores(content: unknown, scores: Scores): string[] {
  const given = new Map(rowsOf(content).map((row) => [row.node_id, row]))
  const computed = new Map([...scores.ccn, ...scores.crn].map((score) => [score.node_id, score]))
  return [...new Set([...given.keys(), ...computed.keys()])].sort().filter((node) => {
    const [a, b] = [given.get(node), computed.get(node)]
    return !a || !b || differ(a.total_score, b.total_score) || differ(a.decentralization, b.decentralization)
  })
}

function published({
  node_id,
  total_score,
  performance,
  version,
  decentralization,
  measurements,
}: NetworkScore) {
  return { node_id, total_score, performance, version, decentralization, measurements }
}

interface ScoreRow {
  node_id: string
  total_score: unknown
  decentralization: unknown
}

function rowsOf(content: unknown): ScoreRow[] {
  const scores = (content as { scores?: { ccn?: unknown; crn?: unknown } } | null)?.scores
  return [scores?.ccn, scores?.crn].flatMap((rows) =>
    Array.isArray(rows) ? rows.filter((row): row is ScoreRow => typeof row?.node_id === 'string') : [],
  )
}

function differ(a: unknown, b: number): boolean {
  return typeof a !== 'number' || !(Math.abs(a - b) <= tolerance)
}

/** Dates of these posts are of UTC and do not say so. */
function dateText(seconds: number): string {
  return new Date(seconds * 1000).toISOString().slice(0, 19)
}

function secondsOf(text: unknown): number {
  return typeof text === 'string'
    ? Date.parse(/(Z|[+-]\d\d:?\d\d)$/.test(text) ? text : `${text}Z`) / 1000
    : Number.NaN
}
