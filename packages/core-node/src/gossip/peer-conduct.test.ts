import { expect, it } from 'vitest'
import { PeerConduct } from './peer-conduct.ts'

it('lets a stranger that floods lose its standing, and forgives in time', () => {
  const conduct = new PeerConduct({ membersOnly: false })
  for (let count = 0; count < 500; count++) expect(conduct.admit('stranger', 0)).toBe(true)
  for (let count = 0; count < 3_000; count++) expect(conduct.admit('stranger', 0)).toBe(false)
  expect(conduct.score('stranger', 0)).toBeLessThan(-1_000)
  expect(conduct.score('quiet', 0)).toBe(0)
  expect(conduct.score('stranger', 600_000)).toBeGreaterThan(-1)
  expect(conduct.admit('stranger', 600_000)).toBe(true)
})

it('looks at no more messages of a frame than a stranger may hand over, and minds the others', () => {
  const conduct = new PeerConduct({ membersOnly: false })
  expect(conduct.admitFrame('stranger', 100, 0)).toBe(100)
  for (let count = 0; count < 480; count++) conduct.admit('stranger', 0)
  expect(conduct.admitFrame('stranger', 100, 0)).toBe(20)
  expect(conduct.score('stranger', 0)).toBe(-40)
  expect(conduct.admitFrame('stranger', 100, 1_000)).toBe(100)
})

it('trusts members more than strangers', () => {
  const conduct = new PeerConduct({ membersOnly: false })
  conduct.isMember = (peerId) => peerId === 'member'
  for (let count = 0; count < 10_000; count++) expect(conduct.admit('member', 0)).toBe(true)
  expect(conduct.score('member', 0)).toBeGreaterThan(conduct.score('stranger', 0))
})

it('minds doubtful messages of strangers, not of members', () => {
  const conduct = new PeerConduct({ membersOnly: false })
  conduct.isMember = (peerId) => peerId === 'member'
  for (let count = 0; count < 500; count++)
    for (const peerId of ['member', 'stranger']) conduct.doubt(peerId, 0)
  expect(conduct.score('stranger', 0)).toBeLessThan(-1_000)
  expect(conduct.score('member', 0)).toBeGreaterThan(0)
})

it('shuts a banned peer out for a while', () => {
  const conduct = new PeerConduct({ membersOnly: false })
  conduct.ban('rude', 0)
  expect([conduct.mayConnect('rude', 1_000), conduct.mayConnect('other', 1_000)]).toEqual([false, true])
  expect(conduct.mayConnect('rude', 3_600_000)).toBe(true)
})

it('lets only members connect when the operator wants so', () => {
  const conduct = new PeerConduct({ membersOnly: true })
  conduct.isMember = (peerId) => peerId === 'member'
  expect([conduct.mayConnect('member'), conduct.mayConnect('stranger')]).toEqual([true, false])
})
