import { describe, expect, it } from 'vitest'
import { type AuthorisationSubject, isAuthorised } from './is-authorised.ts'

const owner = '0xOwner'
const friend = '0xFriend'
const post: AuthorisationSubject = { chain: 'ETH', channel: 'TEST', type: 'POST', postType: 'blog' }
const aggregate: AuthorisationSubject = {
  chain: 'ETH',
  channel: 'TEST',
  type: 'AGGREGATE',
  aggregateKey: 'profile',
}

function may(entry: object, subject = post): boolean {
  return isAuthorised(friend, owner, subject, { authorizations: [{ address: friend, ...entry }] })
}

describe('who may act for an address', () => {
  it('is the address itself, however its case is written', () => {
    expect(isAuthorised('0xOWNER', owner, post, null)).toBe(true)
  })

  it('is nobody else without a security aggregate, or with one that makes no sense', () => {
    for (const security of [
      null,
      undefined,
      7,
      [],
      {},
      { authorizations: 'all' },
      { authorizations: [null, 1, []] },
    ]) {
      expect(isAuthorised(friend, owner, post, security)).toBe(false)
    }
  })

  it('is whom the owner lists, however the case is written', () => {
    expect(may({})).toBe(true)
    expect(may({ address: '0xFRIEND' })).toBe(true)
    expect(may({ address: '0xStranger' })).toBe(false)
  })

  it('is limited by every filter of an entry', () => {
    expect(may({ chain: 'ETH', channels: ['TEST'], types: ['POST'], post_types: ['blog'] })).toBe(true)
    expect(may({ chain: 'SOL' })).toBe(false)
    expect(may({ channels: ['OTHER'] })).toBe(false)
    expect(may({ channels: ['TEST'] }, { ...post, channel: null })).toBe(false)
    expect(may({ types: ['STORE'] })).toBe(false)
    expect(may({ post_types: ['news'] })).toBe(false)
    expect(may({ aggregate_keys: ['profile'] }, aggregate)).toBe(true)
    expect(may({ aggregate_keys: ['other'] }, aggregate)).toBe(false)
  })

  it('is not limited by empty filters, nor by filters of other types', () => {
    expect(may({ chain: null, channels: [], types: [], post_types: [] })).toBe(true)
    expect(may({ aggregate_keys: ['other'] }, post)).toBe(true)
    expect(may({ post_types: ['other'] }, aggregate)).toBe(true)
  })

  it('is not widened by a filter of the wrong kind', () => {
    expect(may({ types: 'POST' })).toBe(false)
    expect(may({ channels: { 0: 'TEST' } })).toBe(false)
  })

  it('is matched by one entry alone, not by parts of several', () => {
    const security = {
      authorizations: [
        { address: friend, types: ['STORE'] },
        { address: friend, channels: ['OTHER'] },
      ],
    }
    expect(isAuthorised(friend, owner, post, security)).toBe(false)
  })

  it('never includes writing the security aggregate, unless the network says so', () => {
    const subject = { ...aggregate, aggregateKey: 'security' }
    const security = { authorizations: [{ address: friend, aggregate_keys: ['security'] }] }
    expect(isAuthorised(friend, owner, subject, security)).toBe(false)
    expect(isAuthorised(friend, owner, subject, security, { securitySelfOnly: false })).toBe(true)
    expect(isAuthorised(owner, owner, subject, null)).toBe(true)
  })
})
