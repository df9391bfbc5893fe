import { BlockList, isIP } from 'node:net'
import { networkInterfaces } from 'node:os'
import { isPublicIp } from '@aleph-ts/protocol'

/** Whether a guest may connect to this address: public unicast, and none of this host's own. */
export function isPublicAddress(address: string): boolean {
  return isPublicIp(address) && !isOwnAddress(address)
}

function isOwnAddress(address: string): boolean {
  const own = new BlockList()
  for (const interfaces of Object.values(networkInterfaces())) {
    for (const { address: mine, family } of interfaces ?? [])
      own.addAddress(mine, family === 'IPv6' ? 'ipv6' : 'ipv4')
  }
  return own.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4')
}
