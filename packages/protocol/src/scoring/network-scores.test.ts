import { describe, expect, it } from 'vitest'
import { readFixture } from '../../test/fixtures.ts'
import {
  type ComputeNodeMeasurement,
  type CoreNodeMeasurement,
  percentile,
  type VersionAge,
} from './measurements.ts'
import { networkScores, type Observations } from './network-scores.ts'
import { rateComputeNode, rateCoreNode, versionScore } from './node-score.ts'

const { vectors } = readFixture<{
  vectors: {
    crn_score: {
      input: { base_p25: number; base_p95: number; diag_p25: number; full_p25: number }
      performance: number
      total_score: number
    }
  }
}>('network-objects')

function measured(
  latency: number | null,
  more: Partial<ComputeNodeMeasurement> = {},
): ComputeNodeMeasurement {
  return {
    asn: 1,
    version: 'latest',
    baseLatency: latency,
    diagnosticVmLatency: latency,
    fullCheckLatency: latency,
    ...more,
  }
}

function observer(name: string, computeNodes: Record<string, ComputeNodeMeasurement[]>): Observations {
  return {
    observer: name,
    coreNodes: new Map<string, CoreNodeMeasurement[]>(),
    computeNodes: new Map(Object.entries(computeNodes)),
  }
}

describe('a rating', () => {
  it('is the golden one', () => {
    const { input, performance, total_score } = vectors.crn_score
    const fast = measured(input.base_p25, {
      diagnosticVmLatency: input.diag_p25,
      fullCheckLatency: input.full_p25,
    })
    const rating = rateComputeNode([fast, fast, fast, { ...fast, baseLatency: input.base_p95 }])
    expect(rating.performance).toBeCloseTo(performance, 12)
    expect(rating.total).toBeCloseTo(total_score, 12)
    expect(rating.factors.map(({ name }) => name)).toHaveLength(4)
  })

  it('is nothing for a node that does not answer, or that nobody measured', () => {
    expect(rateComputeNode([measured(null), measured(null)]).total).toBe(0)
    expect(rateComputeNode([]).total).toBe(0)
  })

  it.each<[string, VersionAge[], number]>([
    ['always the latest', ['latest', 'latest'], 1],
    ['too old half of the time', ['latest', 'obsolete'], 0.5],
    ['of a version that nobody published', ['other', 'latest', 'latest', 'latest'], 0.75],
    ['absent in more than a fifth', ['missing', 'latest', 'latest', 'latest'], 0],
    ['absent now and then', ['missing', ...Array<VersionAge>(9).fill('latest')], 0.9],
    ['never measured', [], 0],
  ])('of software that is %s', (_name, versions, expected) => {
    expect(versionScore(versions)).toBeCloseTo(expected, 12)
  })
})

it('what is measured and does not count is published all the same', () => {
  const core = (latency: number | null, blocks: number | null): CoreNodeMeasurement => ({
    asn: 1,
    version: 'latest',
    baseLatency: 0.5,
    metricsLatency: 0.5,
    aggregateLatency: 0.5,
    fileDownloadLatency: latency,
    ethHeightRemaining: blocks,
  })
  const good = [core(1, 0), core(1, 120), core(1, 120), core(3, 440)]
  const observations: Observations[] = [
    { observer: 'x', coreNodes: new Map([['node', good]]), computeNodes: new Map([['vm', [measured(1)]]]) },
  ]
  const { ccn, crn } = networkScores(observations)
  expect(ccn[0]!.measurements).toMatchObject({
    file_download_latency_score_p25: 0.75,
    file_download_latency_score_p95: 0.625,
    eth_height_remaining_score_p25: 1,
    eth_height_remaining_score_p95: expect.closeTo(0.4, 12),
  })
  expect(crn[0]!.measurements).toMatchObject({
    diagnostic_vm_latency_score_p95: expect.closeTo(0.6, 12),
    full_check_latency_score_p95: 0.75,
  })
  const silent = rateCoreNode([core(null, null)])
  expect(silent.unused.map(({ value }) => value)).toEqual([0, 0, 0, 0])
  expect(silent.total).toBe(rateCoreNode(good).total)
})

it('a percentile is one of the values, and a failure is slower than any', () => {
  expect(percentile([3, 1, 2, 4], 0.25)).toBe(1)
  expect(percentile([3, 1, 2, 4], 0.95)).toBe(4)
  expect(percentile([null, 1], 0.95)).toBe(100)
  expect(percentile([], 0.5)).toBeNull()
})

describe('scores of several observers', () => {
  it('are the median, which one liar cannot move', () => {
    const good = { a: [measured(0.1)], b: [measured(0.1, { asn: 2 })] }
    const honest = networkScores([observer('x', good), observer('y', good), observer('z', good)])
    const liar = observer('liar', { a: [measured(null)], b: [measured(0)] })
    const withLiar = networkScores([observer('x', good), observer('y', good), liar])
    expect(withLiar.crn.map(({ total_score }) => total_score)).toEqual(
      honest.crn.map(({ total_score }) => total_score),
    )
    expect(withLiar.crn[0]!.observers.map(({ observer }) => observer)).toEqual(['x', 'y', 'liar'])
  })

  it('are the same whatever the order of observers, and know who shares a network with whom', () => {
    const one = observer('x', {
      a: [measured(0.1)],
      b: [measured(0.2, { asn: 1 })],
      c: [measured(0.3, { asn: 9 })],
    })
    const two = observer('y', { a: [measured(0.3)], c: [] })
    const strip = (given: Observations[]) => networkScores(given).crn.map(({ observers, ...score }) => score)
    expect(strip([two, one])).toEqual(strip([one, two]))
    expect(strip([one]).map(({ decentralization }) => decentralization)).toEqual([
      (1 - 2 / 3) ** 2,
      (1 - 2 / 3) ** 2,
      (1 - 1 / 3) ** 2,
    ])
  })
})
