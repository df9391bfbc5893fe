import { expect, test } from 'vitest'
import { seedImage } from './seed.ts'

const content = {
  hash: 'decadeca'.repeat(8),
  hostname: 'machine',
  authorizedKeys: ['ssh-ed25519 AAAA owner'],
  variables: {},
  mounts: [],
  bootCommands: [],
}
const link = {
  tap: 'vmtap4',
  mac: '02:de:ca:de:ca:de',
  ipv4: { network: '172.16.4.0/24', gateway: '172.16.4.1', address: '172.16.4.2' },
  ipv6: { network: '2a00::10/124', gateway: '2a00::10', address: '2a00::11' },
}

test('an instance with a link is told its addresses, where packets go, and whom to ask for names', () => {
  const seed = seedImage({ ...content, network: { link, nameservers: ['9.9.9.9'] } })
  expect(
    seed.includes(`    dhcp4: false
    dhcp6: false
    accept-ra: false
    addresses:
      - "172.16.4.2/24"
      - "2a00::11/124"
    gateway4: "172.16.4.1"
    gateway6: "2a00::10"
    nameservers:
      addresses:
        - "9.9.9.9"
`),
  ).toBe(true)
})

test('an instance without one asks its network', () => {
  expect(seedImage({ ...content, network: null }).includes('    dhcp4: true\n')).toBe(true)
})
