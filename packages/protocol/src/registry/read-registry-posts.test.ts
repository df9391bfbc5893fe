import { describe, expect, it } from 'vitest'
import { readFixture } from '../../test/fixtures.ts'
import { mainnetProfile } from '../profile/mainnet.ts'
import { cloneRegistry } from './clone-registry.ts'
import { publishedRegistry } from './published-registry.ts'
import { readRegistryPost } from './read-registry-posts.ts'
import { applyRegistryEvent } from './reduce-registry.ts'
import type { BalanceEvent } from './registry-event.ts'
import { createRegistryState } from './registry-state.ts'

const { posts } = readFixture<{
  posts: Record<
    string,
    { value: { content: { address: string; type: string; time: number; content: unknown } } }
  >
}>('network-objects')
const sablier = posts['balances-sablier']!.value.content
const [scorer] = mainnetProfile.addresses.scores
const unit = 10n ** 18n

function send(fields: { sender: string; type: string; content: unknown; address?: string }) {
  const { sender, address = sender } = fields
  return readRegistryPost(
    { itemHash: 'hash', ref: null, time: 1, height: 7, ...fields, address },
    mainnetProfile,
  )
}

describe('a post to the registry', () => {
  it('that reports balances of a platform replaces all of them, at the height it names', () => {
    const read = send({ sender: sablier.address, type: sablier.type, content: sablier.content })
    expect(read).toMatchObject({ kind: 'balances', mode: 'replace', platform: 'ALEPH_ETH_SABLIER' })
    const { main_height, balances } = sablier.content as { main_height: number; balances: object }
    expect((read as BalanceEvent).height).toBe(main_height)
    expect((read as BalanceEvent).balances.size).toBe(Object.keys(balances).length)
  })

  it('of a platform that secures nothing here is malformed', () => {
    const content = { ...(sablier.content as object), platform: 'ALEPH_SOL' }
    expect(send({ sender: sablier.address, type: sablier.type, content })).toMatchObject({
      reason: 'malformed',
    })
  })

  it('with scores or balances counts only from those whom the network believes, however they are spelled', () => {
    const content = { tags: ['mainnet'], scores: { ccn: [{ node_id: 'a', total_score: 1 }] } }
    const type = 'aleph-scoring-scores'
    expect(send({ sender: scorer!.toLowerCase(), type, content })).toMatchObject({ kind: 'scores' })
    const stranger = `0x${'1'.repeat(40)}`
    expect(send({ sender: stranger, address: scorer!, type, content })).toMatchObject({
      reason: 'not_believed',
    })
    expect(send({ sender: stranger, type: sablier.type, content: sablier.content })).toMatchObject({
      reason: 'not_believed',
    })
  })

  it('acts for one and the same owner, however the address is spelled', () => {
    const owner = '0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266'
    const content = { action: 'create-node', tags: ['mainnet'], details: {} }
    const read = send({ sender: owner.toLowerCase(), type: 'corechan-operation', content })
    expect(read).toMatchObject({ kind: 'operation', address: owner })
  })

  it.each([
    ['no object', 7],
    ['no tag of the network', { action: 'create-node', tags: ['testnet'] }],
    ['no action', { tags: ['mainnet'] }],
    ['an action that every object has', { action: 'constructor', tags: ['mainnet'] }],
  ])('with %s is malformed, with the reason', (_what, content) => {
    expect(send({ sender: '0xa', type: 'corechan-operation', content })).toMatchObject({
      reason: 'malformed',
      detail: expect.stringMatching(/content|tags|action/),
    })
  })
})

describe('balances', () => {
  const event = (mode: BalanceEvent['mode'], aleph: number, height: number): BalanceEvent => ({
    kind: 'balances',
    platform: 'ETH',
    mode,
    height,
    time: 0,
    itemHash: '',
    balances: new Map([['0xa', BigInt(aleph) * unit]]),
  })

  it('that move add up to those that are there', () => {
    const state = createRegistryState()
    for (const move of [300_000, -50_000, -60_000]) {
      applyRegistryEvent(state, event('move', move, 1), mainnetProfile.registry)
    }
    expect(state.balances.get('0xa')).toBe(190_000n * unit)
    applyRegistryEvent(state, event('move', -190_000, 2), mainnetProfile.registry)
    expect(state.balances.size).toBe(0)
  })
})

describe('a copy of a registry', () => {
  it('goes its own way', () => {
    const { registry: policy } = mainnetProfile
    const state = createRegistryState()
    const operation = {
      kind: 'operation',
      height: 1,
      time: 1,
      ref: null,
      details: { type: 'compute' },
    } as const
    applyRegistryEvent(
      state,
      { ...operation, itemHash: 'a', address: '0xa', action: 'create-resource-node' },
      policy,
    )
    const before = JSON.stringify(publishedRegistry(state))
    const copy = cloneRegistry(state)
    expect(JSON.stringify(publishedRegistry(copy))).toBe(before)
    applyRegistryEvent(
      copy,
      { ...operation, itemHash: 'b', address: '0xa', action: 'drop-node', ref: 'a' },
      policy,
    )
    expect(copy.computeNodes.size).toBe(0)
    expect(JSON.stringify(publishedRegistry(state))).toBe(before)
  })
})
