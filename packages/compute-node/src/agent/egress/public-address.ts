import { BlockList, isIP } from 'node:net'
import { networkInterfaces } from 'node:os'

/** IPv4 ranges that are not the public internet (IANA special-purpose registry). */
const closedIpv4: [string, number][] = [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
]

/** Exceptions inside 2000::/3, the only IPv6 space that is public: tunnels can hide private targets. */
const closedIpv6: [string, number][] = [
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20],
]

const openIpv6 = new BlockList()
openIpv6.addSubnet('2000::', 3, 'ipv6')

const closed = new BlockList()
for (const [network, bits] of closedIpv4) closed.addSubnet(network, bits, 'ipv4')
for (const [network, bits] of closedIpv6) closed.addSubnet(network, bits, 'ipv6')

/**
 * Whether a guest may connect to this address: public unicast, and none of this host's own. Everything that
 * is not plainly public is closed: loopback, private, link-local and metadata, carrier NAT, multicast,
 * mapped and tunnelled forms.
 */
export function isPublicAddress(address: string): boolean {
  switch (isIP(address)) {
    case 4:
      return !closed.check(address, 'ipv4') && !isOwnAddress(address)
    case 6:
      return (
        !address.includes('%') &&
        openIpv6.check(address, 'ipv6') &&
        !closed.check(address, 'ipv6') &&
        !isOwnAddress(address)
      )
    default:
      return false
  }
}

function isOwnAddress(address: string): boolean {
  const own = new BlockList()
  for (const interfaces of Object.values(networkInterfaces())) {
    for (const { address: mine, family } of interfaces ?? [])
      own.addAddress(mine, family === 'IPv6' ? 'ipv6' : 'ipv4')
  }
  return own.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4')
}
