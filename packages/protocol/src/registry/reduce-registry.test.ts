import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { corechannelSchema } from '../aggregates/corechannel.ts'
import { mainnetProfile } from '../profile/mainnet.ts'
import { publishedRegistry } from './published-registry.ts'
import { readOperation, readScores } from './read-registry-posts.ts'
import { reduceRegistry } from './reduce-registry.ts'
import type {
  BalanceEvent,
  OperationEvent,
  RegistryAction,
  RegistryEvent,
  ScoreEvent,
} from './registry-event.ts'

const policy = mainnetProfile.registry
const unit = 10n ** 18n
const [alice, bob, carol, dave] = ['0xa', '0xb', '0xc', '0xd'] as const

let clock = 0
function balances(amounts: Record<string, number>, height = 1): BalanceEvent {
  return {
    kind: 'balances',
    platform: 'ETH',
    mode: 'change',
    height,
    time: 0,
    itemHash: '',
    balances: new Map(Object.entries(amounts).map(([address, aleph]) => [address, BigInt(aleph) * unit])),
  }
}

function act(
  action: RegistryAction,
  address: string,
  ref: string | null = null,
  more: Partial<OperationEvent> = {},
): OperationEvent {
  clock += 1
  const details = more.details ?? {}
  return {
    kind: 'operation',
    action,
    address,
    ref,
    itemHash: `op-${clock}`,
    time: clock,
    height: 2,
    ...more,
    details,
  }
}

function core(hash: string, owner: string, details: Record<string, unknown> = {}): OperationEvent {
  return act('create-node', owner, null, { itemHash: hash, details })
}

function compute(hash: string, owner: string, details: Record<string, unknown> = {}): OperationEvent {
  return act('create-resource-node', owner, null, {
    itemHash: hash,
    details: { type: 'compute', ...details },
  })
}

function scores(height: number, crn: Record<string, number>, ccn: Record<string, number> = {}): ScoreEvent {
  const rows = (given: Record<string, number>) =>
    Object.entries(given).map(([nodeId, totalScore]) => ({
      nodeId,
      totalScore,
      performance: totalScore,
      decentralization: 0.5,
    }))
  return {
    kind: 'scores',
    height,
    time: height,
    itemHash: `scores-${height}`,
    coreNodes: rows(ccn),
    computeNodes: rows(crn),
  }
}

function reduce(events: RegistryEvent[]) {
  const { state, ignored } = reduceRegistry(events, policy)
  const { nodes, resource_nodes } = publishedRegistry(state)
  return {
    reasons: ignored.map(({ reason }) => reason),
    core: (hash: string) => nodes.find((node) => node.hash === hash),
    compute: (hash: string) => resource_nodes.find((node) => node.hash === hash),
    published: { nodes, resource_nodes },
  }
}

const rich = balances({ [alice]: 200_000, [bob]: 300_000, [carol]: 250_000, [dave]: 200_000 })

describe('a core node', () => {
  it('needs an owner who keeps enough, and no second one of the same owner', () => {
    const { core: node, reasons } = reduce([
      balances({ [alice]: 199_999, [bob]: 199_998 }),
      core('one', alice, { name: 'One' }),
      core('two', alice),
      core('three', bob),
    ])
    expect(node('one')).toMatchObject({
      owner: alice,
      name: 'One',
      reward: alice,
      status: 'waiting',
      manager: '',
    })
    expect(node('one')).not.toHaveProperty('parent')
    expect(reasons).toEqual(['owns_core_node', 'balance_too_low'])
  })

  it('becomes active with what others stake on it; its owner’s own tokens do not count', () => {
    const { core: node } = reduce([
      rich,
      core('one', alice),
      act('stake-split', bob, 'one'),
      act('stake-split', carol, 'one'),
    ])
    expect(node('one')).toMatchObject({
      status: 'active',
      total_staked: 550_000,
      stakers: { [bob]: 300_000, [carol]: 250_000 },
    })
  })

  it('goes when its owner sells, and everything that hung on it is free again', () => {
    const { published, compute: node } = reduce([
      rich,
      core('one', alice),
      core('two', dave),
      compute('worker', carol),
      act('link', alice, 'worker'),
      act('stake-split', bob, 'one'),
      act('stake-split', bob, 'two'),
      balances({ [alice]: 10 }, 3),
    ])
    expect(published.nodes.map(({ hash, total_staked }) => [hash, total_staked])).toEqual([['two', 300_000]])
    expect(node('worker')).toMatchObject({ parent: null, status: 'waiting' })
  })

  it('takes stakes of whom it authorised only, when it is locked', () => {
    const locked = { locked: true, authorized: [bob] }
    const { core: node, reasons } = reduce([
      rich,
      core('one', alice),
      act('amend', alice, 'one', { details: locked }),
      act('stake-split', bob, 'one'),
      act('stake-split', carol, 'one'),
    ])
    expect(Object.keys(node('one')!.stakers)).toEqual([bob])
    expect(reasons).toEqual(['not_authorised'])
  })
})

describe('a stake', () => {
  it('is split over all nodes it is on, and the older action moves all of it', () => {
    const events = [
      rich,
      core('one', alice),
      core('two', dave),
      act('stake-split', bob, 'one'),
      act('stake-split', bob, 'two'),
    ]
    expect(reduce(events).core('one')!.total_staked).toBe(150_000)
    const moved = reduce([...events, act('stake', bob, 'two')])
    expect([moved.core('one')!.total_staked, moved.core('two')!.total_staked]).toEqual([0, 300_000])
  })

  it('is published as the network does: parts as floating point, their sum exact and rounded once', () => {
    const amounts = [
      123456789012345678901234n,
      99999999999999999999999n,
      333333333333333333333333n,
      77777777777777777777777n,
      123123123123123123123123n,
    ]
    const stakers = amounts.map((_, index) => `0xstaker${index}`)
    const owners = [alice, bob, carol]
    const given: BalanceEvent = {
      ...balances({ [alice]: 200_000, [bob]: 200_000, [carol]: 200_000 }),
      balances: new Map([
        ...owners.map((owner) => [owner, 200_000n * unit] as const),
        ...amounts.map((amount, index) => [stakers[index]!, amount] as const),
      ]),
    }
    const nodes = owners.map((owner) => core(`node of ${owner}`, owner))
    const stakes = stakers.flatMap((staker) =>
      nodes.map(({ itemHash }) => act('stake-split', staker, itemHash)),
    )
    const { state } = reduceRegistry([given, ...nodes, ...stakes], policy)
    expect(publishedRegistry(state).nodes.map((node) => node.total_staked)).toEqual(
      owners.map(() => 252_563.67441552662),
    )
  })

  it('ends when the staker sells below the threshold, or registers a core node', () => {
    const events = [rich, core('one', alice), act('stake-split', bob, 'one')]
    expect(reduce([...events, balances({ [bob]: 9_998 }, 3)]).core('one')!.stakers).toEqual({})
    expect(reduce([...events, core('two', bob)]).core('one')!.stakers).toEqual({})
  })
})

describe('a compute node', () => {
  const start = [rich, core('one', alice), compute('worker', carol, { address: 'https://w.example.org' })]

  it('is linked by the owner of a core node, eight at most', () => {
    const more = Array.from({ length: 9 }, (_, index) => compute(`w${index}`, carol))
    const { core: node, reasons } = reduce([
      ...start.slice(0, 2),
      ...more,
      ...more.map((each) => act('link', alice, each.itemHash)),
    ])
    expect(node('one')!.resource_nodes).toHaveLength(8)
    expect(reasons).toEqual(['links_full'])
  })

  it('refuses links by being locked, and leaves by unlinking', () => {
    const locked = reduce([
      ...start,
      act('amend', carol, 'worker', { details: { locked: true } }),
      act('link', alice, 'worker'),
    ])
    expect(locked.reasons).toEqual(['locked'])
    const left = reduce([
      ...start,
      act('link', alice, 'worker'),
      act('unlink', bob, 'worker'),
      act('unlink', carol, 'worker'),
    ])
    expect(left.reasons).toEqual(['not_owner'])
    expect(left.compute('worker')).toMatchObject({ parent: null, status: 'waiting' })
  })

  it('cannot take the address of another', () => {
    const { compute: node } = reduce([
      ...start,
      compute('thief', bob, { address: 'https://w.example.org:8443/x' }),
    ])
    expect(node('thief')).toMatchObject({ address: '' })
  })

  it('is dropped after ninety days without an answer, unless it is linked', () => {
    const day = 7_130
    const from = policy.inactiveFromHeight
    const silent = [scores(from, { worker: 0 }), scores(from + 91 * day, { worker: 0 })]
    expect(reduce([...start, ...silent]).compute('worker')).toBeUndefined()
    expect(reduce([...start, act('link', alice, 'worker'), ...silent]).compute('worker')).toMatchObject({
      inactive_since: from,
    })
  })
})

describe('scores', () => {
  const start = [rich, compute('worker', carol)]

  it('of one round keep the better one, of the next round the newer one', () => {
    const round = [...start, scores(100, { worker: 0.5 }), scores(105, { worker: 0.4 })]
    expect(reduce(round).compute('worker')!.score).toBe(0.5)
    expect(reduce([...round, scores(120, { worker: 0.3 })]).compute('worker')!.score).toBe(0.3)
  })

  it('of discarded heights, and of unknown nodes, change nothing', () => {
    const height = policy.discardedScores[0]![0]
    expect(reduce([...start, scores(height, { worker: 1, nobody: 1 })]).compute('worker')!.score).toBe(0)
  })

  it('are read from posts, whatever else is in there', () => {
    const content = {
      tags: ['mainnet'],
      scores: { crn: [{ node_id: 'worker', total_score: 7 }, { node_id: 5 }, null], ccn: 'nonsense' },
    }
    const post = {
      itemHash: 's',
      address: alice,
      type: 'aleph-scoring-scores',
      ref: null,
      time: 1,
      height: 5,
    }
    const event = readScores({ ...post, content }, policy) as ScoreEvent
    expect(reduce([...start, event]).compute('worker')).toMatchObject({ score: 1, performance: 0 })
    expect(readScores({ ...post, content: { scores: {} } }, policy)).toContain('tags')
  })
})

describe('what is no operation', () => {
  const post = { itemHash: 'p', address: alice, type: 'corechan-operation', ref: null, time: 1, height: 5 }

  it.each([
    ['another type', { ...post, type: 'note', content: {} }, 'type'],
    ['no tag', { ...post, content: { action: 'link' } }, 'tags'],
    ['no action', { ...post, content: { tags: ['mainnet'] } }, 'action'],
    ['an unknown action', { ...post, content: { tags: ['mainnet'], action: 'explode' } }, 'action'],
    [
      'details of another kind',
      { ...post, content: { tags: ['mainnet'], action: 'link', details: 5 } },
      'details',
    ],
    ['no content', { ...post, content: null }, 'content'],
  ])('%s is told', (_name, given, field) => {
    expect(readOperation(given, policy)).toContain(field)
  })

  it('is ignored with a reason, and changes nothing', () => {
    const { reasons, published } = reduce([
      rich,
      core('one', alice, { name: 5 }),
      act('link', alice, 'nothing'),
      act('drop-node', bob, 'one'),
      act('unstake', bob, 'one'),
      act('stake', bob, null),
    ])
    expect(reasons).toEqual([
      'bad_details',
      'owns_no_core_node',
      'unknown_node',
      'not_staking',
      'unknown_node',
    ])
    expect(published).toEqual({ nodes: [], resource_nodes: [] })
  })
})

it('an amend says so by its type, or by its action as some clients do', () => {
  const content = {
    tags: ['mainnet'],
    action: 'create-resource-node',
    details: { name: 'new', description: null },
  }
  const post = { itemHash: 'p', address: carol, ref: 'worker', time: 1e9, height: 5 }
  for (const [type, action] of [
    ['amend', 'create-resource-node'],
    ['corechan-operation', 'amend'],
  ] as const) {
    const event = readOperation({ ...post, type, content: { ...content, action } }, policy) as OperationEvent
    expect(
      reduce([rich, compute('worker', carol, { name: 'old', banner: 'b' }), event]).compute('worker'),
    ).toMatchObject({
      name: 'new',
      banner: 'b',
      description: null,
    })
  }
})

it('is the same registry, and fit to be published, whatever the order events come in', () => {
  const people = fc.constantFrom(alice, bob, carol, dave)
  const nodes = fc.constantFrom('n0', 'n1', 'n2', 'n3', 'n4', 'n5')
  const action = fc.constantFrom<RegistryAction>(
    'create-node',
    'create-resource-node',
    'link',
    'unlink',
    'drop-node',
    'stake',
    'stake-split',
    'unstake',
    'amend',
  )
  const operation = fc
    .record({ action, address: people, ref: nodes, name: fc.string({ maxLength: 5 }), locked: fc.boolean() })
    .map(
      ({ action, address, ref, ...details }): Omit<OperationEvent, 'itemHash' | 'time' | 'height'> => ({
        kind: 'operation',
        action,
        address,
        ref,
        details: { type: 'compute', ...details },
      }),
    )
  const balance = fc.record({ who: people, aleph: fc.integer({ min: 0, max: 400_000 }) })
  const score = fc.record({ node: nodes, score: fc.double({ min: -1, max: 2, noNaN: true }) })
  const events = fc.array(fc.oneof({ weight: 6, arbitrary: operation }, balance, score), { maxLength: 60 })
  fc.assert(
    fc.property(events, fc.infiniteStream(fc.nat()), (given, keys) => {
      const inOrder = given.map((each, index): RegistryEvent => {
        if ('who' in each) return balances({ [each.who]: each.aleph }, index)
        if ('score' in each) return scores(index, { [each.node]: each.score }, { [each.node]: each.score })
        return { ...each, itemHash: `n${index % 6}`, time: index, height: index }
      })
      const shuffled = inOrder
        .map((event) => ({ event, key: keys.next().value }))
        .sort((a, b) => a.key - b.key)
      const { published } = reduce(inOrder)
      expect(reduce(shuffled.map(({ event }) => event)).published).toEqual(published)
      corechannelSchema.parse(published)
      for (const node of published.resource_nodes) {
        const parent = published.nodes.find(({ hash }) => hash === node.parent)
        expect(node.parent === null || parent!.resource_nodes.includes(node.hash)).toBe(true)
      }
      for (const node of published.nodes) {
        const total = Object.values(node.stakers).reduce((sum, stake) => sum + stake, 0)
        expect(node.total_staked).toBeCloseTo(total, 6)
      }
    }),
    { numRuns: 300 },
  )
})
