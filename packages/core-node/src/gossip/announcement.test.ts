import { expect, test } from 'vitest'
import { encodeAnnouncement, maxAddresses, maxAnnouncementBytes, parseAnnouncement } from './announcement.ts'

const id = 'QmZkurbY2G2hWay59yiTgQNaQxHSNzKZFt2jbnwJhQcKgV'
const first = `/ip4/203.0.113.7/tcp/4025/p2p/${id}`
const second = `/dns4/node.example/tcp/4025/p2p/${id}`

function said(bytes: Uint8Array): Record<string, unknown> {
  return JSON.parse(new TextDecoder().decode(bytes))
}

test('older nodes read the first address, and find nothing else that they know', () => {
  const bytes = encodeAnnouncement({ addresses: [first, second], peer_type: 'P2P' }, 'v1', 5.5)
  expect(said(bytes)).toEqual({
    address: first,
    interests: null,
    more_addresses: [second],
    peer_type: 'P2P',
    time: 5.5,
    version: 'v1',
  })
  expect(said(encodeAnnouncement({ addresses: [first], peer_type: 'P2P' }, 'v1', 5))).not.toHaveProperty(
    'more_addresses',
  )
})

test('every address of a node is read, those that are none are left out', () => {
  const announcement = { addresses: [first, second] as [string, string], peer_type: 'P2P' as const, time: 1 }
  expect(parseAnnouncement(said(encodeAnnouncement(announcement, 'v1', 1)))).toEqual(announcement)
  const strange = { address: first, peer_type: 'P2P', more_addresses: [7, '', 'x'.repeat(1000), second] }
  expect(parseAnnouncement(strange)?.addresses).toEqual([first, second])
  const many = { address: first, peer_type: 'P2P', more_addresses: Array(100).fill(second) }
  expect(parseAnnouncement(many)?.addresses).toHaveLength(maxAddresses)
  expect(parseAnnouncement({ address: first, peer_type: 'P2P', more_addresses: 'no list' })).not.toBeNull()
})

test('what the production network announces is read, anything else is not', () => {
  expect(
    parseAnnouncement({ address: first, interests: null, peer_type: 'P2P', version: 'v0.12.3' }),
  ).toEqual({ addresses: [first], peer_type: 'P2P' })
  for (const wrong of [
    null,
    'text',
    {},
    { address: 7, peer_type: 'P2P' },
    { address: first },
    { address: first, peer_type: 'p2p' },
    { address: 'ftp://node.example', peer_type: 'HTTP' },
    { address: first, peer_type: 'P2P', time: 'now' },
  ]) {
    expect(parseAnnouncement(wrong)).toBeNull()
  }
})

test('the longest addresses that are read fit the longest announcement', () => {
  const addresses = Array(maxAddresses).fill('x'.repeat(400)) as [string, ...string[]]
  const bytes = encodeAnnouncement({ addresses, peer_type: 'P2P' }, 'v1.2.3-something', Date.now() / 1000)
  expect(bytes.length).toBeLessThan(maxAnnouncementBytes)
})
