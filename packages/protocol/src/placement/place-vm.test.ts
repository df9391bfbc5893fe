import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type CorechannelAggregate, corechannelSchema } from '../aggregates/corechannel.ts'
import { placeVm } from './place-vm.ts'
import { noRequirements } from './vm-requirements.ts'

const vm = 'e'.repeat(64)
const anyNode = { requiresIpv6Pool: false, streamChains: new Set<string>(), blacklist: new Set<string>() }

function network(...computeNodes: object[]): CorechannelAggregate {
  return corechannelSchema.parse({
    nodes: [
      { hash: 'core-1', owner: '0x1', status: 'active', score: 0.9 },
      { hash: 'core-2', owner: '0x2', status: 'active', score: 0.9 },
      { hash: 'core-3', owner: '0x3', status: 'waiting', score: 0.9 },
      { hash: 'core-4', owner: '0x4', status: 'active', score: 0.1 },
    ],
    resource_nodes: computeNodes,
  })
}

const node = (hash: string, parent: string | null, more: object = {}) => ({
  hash,
  parent,
  owner: `0xOwnerOf${hash}`,
  status: parent === null ? 'waiting' : 'linked',
  score: 0.9,
  ...more,
})

describe('placing a VM', () => {
  it('on an empty registry says so', () => {
    expect(placeVm(vm, noRequirements, network())).toEqual({ unschedulable: {} })
  })

  it('counts why every compute node was passed over', () => {
    const registry = network(
      node('a', null),
      node('b', 'no-such-core-node'),
      node('c', 'core-3'),
      node('d', 'core-4'),
      node('e', 'core-1', { score: 0.19 }),
      node('f', 'core-1', { terms_and_conditions: 'terms' }),
      node('g', 'core-1'),
    )
    const full = () => 'memory'
    expect(placeVm(vm, noRequirements, registry, { refuse: full })).toEqual({
      unschedulable: {
        not_linked: 2,
        core_node_inactive: 1,
        score_too_low: 2,
        terms_and_conditions: 1,
        memory: 1,
      },
    })
  })

  it('respects the node the owner chose, with its terms', () => {
    const registry = network(node('a', 'core-1'), node('b', 'core-2', { terms_and_conditions: 'terms' }))
    const pinned = { ...noRequirements, nodeHash: 'b' }
    expect(placeVm(vm, pinned, registry)).toMatchObject({ coreNode: 'core-2', computeNode: 'b' })
    expect(placeVm(vm, { ...pinned, termsAndConditions: 'other' }, registry)).toEqual({
      unschedulable: { node_pinned: 1, terms_and_conditions: 1 },
    })
  })

  it('respects node owner and receiver of the payment stream', () => {
    const registry = network(node('a', 'core-1'), node('b', 'core-2', { stream_reward: '0xABC' }))
    expect(placeVm(vm, { ...noRequirements, nodeOwner: '0xownerofA' }, registry)).toMatchObject({
      computeNode: 'a',
    })
    expect(placeVm(vm, { ...noRequirements, streamReceiver: '0xabc' }, registry)).toMatchObject({
      computeNode: 'b',
    })
  })

  it('looks for a stream on chains that the network watches, to who registered the address', () => {
    const registry = network(node('a', 'core-1', { stream_reward: '0xABC' }))
    const paid = { ...noRequirements, streamReceiver: '0xabc' }
    const watched = { ...anyNode, streamChains: new Set(['BASE']) }
    const verdict = (streamChain: string, streamReceiver = '0xabc') =>
      placeVm(vm, { ...paid, streamChain, streamReceiver }, registry, { policy: watched })
    expect(verdict('BASE')).toMatchObject({ computeNode: 'a' })
    expect(verdict('AVAX')).toEqual({ unschedulable: { payment_chain: 1 } })
    expect(verdict('BASE', '0xdef')).toEqual({ unschedulable: { payment_chain: 1 } })
  })

  it('passes over nodes that the network excluded', () => {
    const registry = network(node('a', 'core-1'), node('b', 'core-2'))
    const policy = { ...anyNode, blacklist: new Set(['a']) }
    expect(placeVm(vm, noRequirements, registry, { policy })).toMatchObject({ computeNode: 'b' })
    expect(placeVm(vm, { ...noRequirements, nodeHash: 'a' }, registry, { policy })).toEqual({
      unschedulable: { node_pinned: 1, blacklist: 1 },
    })
  })

  it('never runs a pattern that a stranger wrote', () => {
    const demand = { ...noRequirements, addressPattern: '(a+)+$' }
    expect(placeVm(vm, demand, network(node('a', 'core-1')))).toEqual({ unschedulable: { address_regex: 1 } })
  })

  it('works in a network nobody has scored yet', () => {
    const registry = corechannelSchema.parse({
      nodes: [{ hash: 'core', owner: '0x1', status: 'active' }],
      resource_nodes: [{ hash: 'a', owner: '0x2', status: 'linked', parent: 'core' }],
    })
    expect(placeVm(vm, noRequirements, registry)).toMatchObject({ coreNode: 'core', computeNode: 'a' })
  })

  it('does not depend on the order of the registry', () => {
    const nodes = ['a', 'b', 'c', 'd', 'e'].map((hash, i) => node(hash, i % 2 ? 'core-1' : 'core-2'))
    const expected = placeVm(vm, noRequirements, network(...nodes))
    fc.assert(
      fc.property(fc.shuffledSubarray(nodes, { minLength: nodes.length }), (shuffled) => {
        expect(placeVm(vm, noRequirements, network(...shuffled))).toEqual(expected)
      }),
      { numRuns: 30 },
    )
  })

  it('moves a VM only when its own node leaves', () => {
    const nodes = ['a', 'b', 'c', 'd'].map((hash) => node(hash, 'core-1'))
    for (const vmHash of Array.from({ length: 20 }, (_, i) => `vm-${i}`)) {
      const before = placeVm(vmHash, noRequirements, network(...nodes))
      if ('unschedulable' in before) throw new Error('expected a placement')
      const loser = nodes.find(({ hash }) => hash !== before.computeNode)!
      const after = placeVm(vmHash, noRequirements, network(...nodes.filter((other) => other !== loser)))
      expect(after).toMatchObject({ computeNode: before.computeNode })
    }
  })
})
