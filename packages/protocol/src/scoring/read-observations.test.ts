import { describe, expect, it } from 'vitest'
import { readFixture } from '../../test/fixtures.ts'
import { mainnetProfile } from '../profile/mainnet.ts'
import { networkScores } from './network-scores.ts'
import { readObservations, scoringPeriodAt } from './read-observations.ts'
import { readScoresPeriod, scoresContent, unexplainedScores } from './scores-post.ts'
import { versionAge } from './version-age.ts'

interface Post {
  value: { sender: string; content: { address: string; time: number; content: unknown } }
}
const { posts } = readFixture<{ posts: Record<string, Post> }>('network-objects')
const policy = { ...mainnetProfile.scoring, diagnosticProgram: null }
const period = { from: 1_000, to: 2_000 }
const probes = { diagnosticProgram: false }

function metrics(
  observer: string,
  latency: number | null,
  more: { time?: number; measured_at?: number } = {},
) {
  const { time = 1_500, measured_at = 1_500 } = more
  const crn = [{ node_id: 'a', measured_at, version: '1.0', asn: 7, base_latency: latency }]
  return { observer, time, content: { metrics: { ccn: [], crn } } }
}

const scoresOf = (given: ReturnType<typeof metrics>[]) =>
  networkScores(readObservations(given, period, policy), probes)

describe('metrics posts', () => {
  it('of the production network are read', () => {
    const { address, time, content } = posts['network-metrics']!.value.content
    const day = scoringPeriodAt(time, mainnetProfile.scoring)
    expect(day.to - day.from).toBe(86_400)
    const [seen] = readObservations([{ observer: address, time, content }], day, mainnetProfile.scoring)
    expect([...seen!.coreNodes.values()][0]![0]).toMatchObject({ asn: 16276, version: 'latest' })
    expect([...seen!.computeNodes.values()][0]![0]!.baseLatency).toBeGreaterThan(0)
  })

  it('count in the period they were measured in, and when they came in time', () => {
    const late = period.to + policy.graceSeconds
    expect(scoresOf([metrics('x', 0.1, { time: late })]).crn).toEqual([])
    expect(scoresOf([metrics('x', 0.1, { measured_at: period.to })]).crn).toEqual([])
    expect(scoresOf([metrics('x', 0.1, { time: late - 1 })]).crn).toHaveLength(1)
  })

  it.each([null, 7, {}, { metrics: 1 }, { metrics: { crn: [null, 7, { node_id: 3 }] } }])(
    'that make no sense (%j) say nothing',
    (content) => {
      const observations = readObservations([{ observer: 'x', time: 1_500, content }], period, policy)
      expect(networkScores(observations, probes)).toEqual({ ccn: [], crn: [] })
    },
  )
})

describe('scores', () => {
  const honest = [metrics('x', 0.2), metrics('y', 0.3)]

  it('cannot be moved by one observer that lies', () => {
    const [fair] = scoresOf([...honest, metrics('z', 0.25)]).crn
    const [smeared] = scoresOf([...honest, metrics('z', null)]).crn
    const [praised] = scoresOf([...honest, metrics('z', 0)]).crn
    expect(smeared!.total_score).toBeGreaterThan(0.85)
    expect(Math.abs(praised!.total_score - fair!.total_score)).toBeLessThan(0.02)
    expect(fair!.measurements).toMatchObject({ total_nodes: 1, node_version_latest: 3 })
  })

  it('are published so that everybody can compute them again', () => {
    const scores = scoresOf(honest)
    const content = JSON.parse(JSON.stringify(scoresContent(period, scores)))
    expect(readScoresPeriod(content)).toEqual(period)
    expect(unexplainedScores(content, scores)).toEqual([])
    expect(unexplainedScores(content, scoresOf([metrics('x', 1)]))).toEqual(['a'])
    content.scores.crn[0].total_score = 1
    content.scores.ccn.push({ node_id: 'invented', total_score: 1, decentralization: 1 })
    expect(unexplainedScores(content, scores)).toEqual(['a', 'invented'])
  })

  it('of the production network tell their period', () => {
    const { content } = posts['scoring-scores']!.value.content
    expect(readScoresPeriod(content)).toEqual({
      from: Date.UTC(2026, 4, 1) / 1000,
      to: Date.UTC(2026, 4, 2) / 1000,
    })
    expect(readScoresPeriod({ period: { from_date: 'soon', to_date: 1 } })).toBeNull()
    expect(readScoresPeriod(null)).toBeNull()
  })
})

describe('a version', () => {
  const day = 86_400
  const releases = [
    { version: '1.0', releasedAt: 0 },
    { version: '1.1', releasedAt: 100 * day },
    { version: '2.0-rc1', releasedAt: 200 * day },
  ]
  it.each([
    ['1.0', 50, 'latest'],
    ['1.0', 101, 'outdated'],
    ['1.0', 115, 'obsolete'],
    ['1.1', 99, 'other'],
    ['2.0-rc1', 201, 'prerelease'],
    ['9.9', 201, 'other'],
    ['', 201, 'missing'],
    [null, 201, 'missing'],
  ] as const)('%s on day %i is %s', (version, at, age) => {
    expect(versionAge(version, at * day, releases)).toBe(age)
  })

  it('is current where nobody lists releases', () => {
    expect(versionAge('anything', 0, [])).toBe('latest')
  })
})
