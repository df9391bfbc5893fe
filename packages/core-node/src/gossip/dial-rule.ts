import { isPublicIp } from '@aleph-ts/protocol'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { PeerAddress } from './peer-address.ts'

/**
 * Which addresses may be connected to: anybody may register or announce any, so that only public ones are, and those
 * that the operator configured. Names are not looked up here.
 *
 * @param options.allowPrivate for networks of one's own, where nodes have private addresses
 */
export function dialRule(
  configured: readonly PeerAddress[],
  { allowPrivate }: { allowPrivate: boolean },
): (address: Multiaddr) => boolean {
  const trusted = new Set(configured.map(({ address }) => hostOf(address)))
  return (address) => {
    const { protocol, host } = hostPart(address)
    return allowPrivate || protocol === 'name' || isPublicIp(host) || trusted.has(hostOf(address))
  }
}

function hostOf(address: Multiaddr): string {
  return hostPart(address).host
}

function hostPart(address: Multiaddr): { protocol: 'ip' | 'name'; host: string } {
  const [first] = address.getComponents()
  const isIp = first?.name === 'ip4' || first?.name === 'ip6'
  return { protocol: isIp ? 'ip' : 'name', host: first?.value ?? '' }
}
