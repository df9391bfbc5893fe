import type { LookupFunction } from 'node:net'
import { isPublicIp } from '@aleph-ts/protocol'
import type { Multiaddr } from '@multiformats/multiaddr'
import { checkedLookup } from '../checked-lookup.ts'
import type { PeerAddress } from './peer-address.ts'

/** Which addresses of peers are connected to. */
export interface DialRule {
  mayDial(address: Multiaddr): boolean
  /** Resolves the names in addresses, to such addresses only. */
  lookup: LookupFunction
}

/** What begins an address on the internet; sockets of this machine and the like are none. */
const ipProtocols: ReadonlySet<string> = new Set(['ip4', 'ip6'])
const nameProtocols: ReadonlySet<string> = new Set(['dns', 'dns4', 'dns6', 'dnsaddr'])

/**
 * Anybody may register or announce any address, so that only public ones are connected to, and those that the operator
 * configured. A name is judged by every address it has at the moment of connecting.
 *
 * @param options.allowPrivate for networks of one's own, where nodes have private addresses
 */
export function dialRule(
  configured: readonly PeerAddress[],
  { allowPrivate }: { allowPrivate: boolean },
): DialRule {
  const trusted = new Set(configured.map(({ address }) => hostPart(address).host))
  const isAllowed = (host: string) => allowPrivate || isPublicIp(host) || trusted.has(host)
  return {
    mayDial(address) {
      const { protocol, host } = hostPart(address)
      return nameProtocols.has(protocol) || (ipProtocols.has(protocol) && isAllowed(host))
    },
    lookup: checkedLookup((address, name) => isAllowed(address) || trusted.has(name)),
  }
}

function hostPart(address: Multiaddr): { protocol: string; host: string } {
  const [first] = address.getComponents()
  return { protocol: first?.name ?? '', host: first?.value ?? '' }
}
