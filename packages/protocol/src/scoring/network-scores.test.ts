import { describe, expect, it } from 'vitest'
import { readFixture } from '../../test/fixtures.ts'
import {
  type ComputeNodeMeasurement,
  type CoreNodeMeasurement,
  percentile,
  type VersionAge,
} from './measurements.ts'
import { networkScores, type Observations } from './network-scores.ts'
import { rateComputeNode, versionScore } from './node-score.ts'

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
