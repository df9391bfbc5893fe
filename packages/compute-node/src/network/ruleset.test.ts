import { expect, test } from 'vitest'
import { runHostCommand } from './host-command.ts'
import { type LinkRules, type RulesetOptions, ruleset } from './ruleset.ts'
import { tapLink } from './tap-link.ts'

const pools = { tapPrefix: 'vmtap', ipv4Pool: '172.16.0.0/12', ipv6Pool: '2a00:aaaa:1:2::/64' }
const options: RulesetOptions = {
  tapPrefix: 'vmtap',
  uplink: 'eth0',
  ipv4Pool: pools.ipv4Pool,
  ipv6Pool: pools.ipv6Pool,
  allowedNetworks: ['10.1.0.0/16', 'fd00:1::/32'],
  mbitPerGuest: 100,
}
const guests: LinkRules[] = [
  {
    link: tapLink(pools, 4, 'decadeca'.repeat(8)),
    internet: true,
    forwards: [
      { host: 24000, guest: 22, tcp: true, udp: false },
      { host: 24002, guest: 53, tcp: true, udp: true },
    ],
  },
  {
    link: tapLink(pools, 5, 'cafe'.repeat(16)),
    internet: false,
    forwards: [{ host: 24001, guest: 22, tcp: true, udp: false }],
  },
]
const mayLoad = await runHostCommand('unshare', ['--net', 'nft', 'list', 'tables']).then(
  () => true,
  () => false,
)

test('the rules of two guests, one of them without the internet', async () => {
  await expect(ruleset(options, guests)).toMatchFileSnapshot('./ruleset.example.nft')
})

test('without a limit nothing is counted against one', () => {
  expect(ruleset({ ...options, mbitPerGuest: null }, guests)).not.toContain('limit rate')
})

test.skipIf(!mayLoad)(
  'the kernel takes them, also when there are no guests (skipped without root or nft)',
  async () => {
    for (const some of [guests, []]) {
      for (const mbitPerGuest of [null, 1, 100_000]) {
        const rules = ruleset({ ...options, ipv4Pool: '10.9.9.9/16', mbitPerGuest }, some)
        await runHostCommand('unshare', ['--net', 'nft', '--file', '-'], rules)
      }
    }
  },
)
