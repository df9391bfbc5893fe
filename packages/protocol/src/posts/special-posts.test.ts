import { describe, expect, it } from 'vitest'
import { readFixture } from '../../test/fixtures.ts'
import { readBalancesUpdate } from './balances-update.ts'
import { readNetworkMetrics } from './network-metrics.ts'

const { posts } = readFixture<{ posts: Record<string, { value: { content: { content: unknown } } }> }>(
  'network-objects',
)

describe('balances of a chain', () => {
  it.each(['balances-erc20', 'balances-sablier', 'balances-solana', 'balances-indexer-base'])(
    '%s is read',
    (id) => {
      const update = readBalancesUpdate(posts[id]!.value.content.content)
      expect(Object.values(update.balances).every((balance) => /^\d+(\.\d+)?$/.test(balance))).toBe(true)
    },
  )

  it('come as plain decimals, however they were written', () => {
    const { balances } = readBalancesUpdate({
      chain: 'ETH',
      main_height: 1,
      balances: { a: 1e-7, b: '12.50', c: 0 },
    })
    expect(balances).toEqual({ a: '0.0000001', b: '12.5', c: '0' })
  })

  it.each<[string, object, string]>([
    ['no chain', { main_height: 1, balances: {} }, 'chain'],
    ['an unknown chain', { chain: 'MOON', main_height: 1, balances: {} }, 'chain'],
    ['no height', { chain: 'ETH', balances: {} }, 'main_height'],
    ['no balances', { chain: 'ETH', main_height: 1 }, 'balances'],
    ['a negative balance', { chain: 'ETH', main_height: 1, balances: { a: -1 } }, 'balances.a'],
    [
      'a balance that is no number',
      { chain: 'ETH', main_height: 1, balances: { a: 'many' } },
      'balances.a: must be an amount',
    ],
    [
      'a balance that is a truth',
      { chain: 'ETH', main_height: 1, balances: { a: true } },
      'balances.a: must be',
    ],
  ])('with %s are refused, with the place', (_name, content, place) => {
    expect(() => readBalancesUpdate(content)).toThrow(place)
  })
})

describe('metrics', () => {
  it('of the production network are read', () => {
    const { ccn, crn } = readNetworkMetrics(posts['network-metrics']!.value.content.content)
    expect(ccn[0]).toMatchObject({ measured_at: 1701261022.881753, base_latency: 0.2345137596130371 })
    expect(crn[0]).toMatchObject({ node_id: expect.any(String), diagnostic_vm_latency: expect.any(Number) })
  })

  it('lose what makes no sense, and nothing else', () => {
    const crn = [
      { node_id: 'a', measured_at: '5', base_latency: 'fast', full_check_latency: '1.5' },
      { node_id: '', measured_at: 1 },
      { node_id: 'b' },
      7,
    ]
    expect(readNetworkMetrics({ metrics: { crn, ccn: 'none' } })).toEqual({
      ccn: [],
      crn: [
        {
          node_id: 'a',
          measured_at: 5,
          base_latency: null,
          base_latency_ipv4: null,
          full_check_latency: 1.5,
          diagnostic_vm_latency: null,
        },
      ],
    })
    const ccn = [
      { node_id: 'a', measured_at: 1, pending_messages: 1.7, eth_height_remaining: '-2.5' },
      { node_id: 'x'.repeat(513), measured_at: 1 },
    ]
    expect(readNetworkMetrics({ metrics: { ccn } }).ccn).toEqual([
      expect.objectContaining({ node_id: 'a', pending_messages: 1, eth_height_remaining: -2 }),
    ])
    expect(readNetworkMetrics(null)).toEqual({ ccn: [], crn: [] })
  })
})
