import { BlockList, isIP } from 'node:net'
import { networkInterfaces } from 'node:os'
import { closedIpv4Ranges, closedIpv6Ranges, publicIpv6Range } from '../../network/index.ts'

const openIpv6 = new BlockList()
openIpv6.addSubnet(...publicIpv6Range, 'ipv6')

const closed = new BlockList()
for (const [network, bits] of closedIpv4Ranges) closed.addSubnet(network, bits, 'ipv4')
for (const [network, bits] of closedIpv6Ranges) closed.addSubnet(network, bits, 'ipv6')

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
