import type { RegistryPolicy } from './registry-policy.ts'

const hostProtocols = new Set(['ip4', 'ip6', 'dns', 'dns4', 'dns6'])

/**
 * What a multiaddress must not share with that of another core node: its first IP address or DNS name, with the port
 * where the policy says so; null when it names none.
 */
export function multiaddressHost(multiaddress: string, { uniqueAddresses }: UniqueAddresses): string | null {
  const parts = multiaddress.split('/')
  if (parts[0] !== '') return null
  for (let index = 1; index + 1 < parts.length; index += 2) {
    const [protocol, value] = [parts[index]!, parts[index + 1]!]
    if (!hostProtocols.has(protocol) || !isHost(protocol, value)) continue
    const host = value.toLowerCase()
    return uniqueAddresses === 'host' ? host : [host, ...parts.slice(index + 2, index + 4)].join('/')
  }
  return null
}

/** What an HTTP address must not share with that of another compute node; null when it is none. */
export function addressHost(address: string, { uniqueAddresses }: UniqueAddresses): string | null {
  try {
    const { protocol, hostname, host } = new URL(address)
    if ((protocol !== 'https:' && protocol !== 'http:') || hostname === '') return null
    return uniqueAddresses === 'host' ? hostname : host
  } catch {
    return null
  }
}

type UniqueAddresses = Pick<RegistryPolicy, 'uniqueAddresses'>

function isHost(protocol: string, value: string): boolean {
  const isIp4 = /^\d{1,3}(\.\d{1,3}){3}$/.test(value) && value.split('.').every((part) => Number(part) < 256)
  if (protocol === 'ip4') return isIp4
  if (protocol === 'ip6') return /^[0-9a-f:.]{2,45}$/i.test(value) && value.includes(':')
  return /^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/i.test(value)
}

/**
 * Gives a node the host in its address, unless another has it: such an address, and one without a host, counts as none
 * (protocol 06 §2.4).
 *
 * @param hosts which node has which host; kept up to date
 * @returns the address, or nothing
 */
export function claimHost(
  hosts: Map<string, string>,
  hash: string,
  address: string | null,
  hostOf: (address: string, policy: UniqueAddresses) => string | null,
  policy: UniqueAddresses,
): string {
  releaseHost(hosts, hash)
  const host = address === null ? null : hostOf(address, policy)
  if (address === null || host === null || hosts.has(host)) return ''
  hosts.set(host, hash)
  return address
}

export function releaseHost(hosts: Map<string, string>, hash: string): void {
  for (const [host, holder] of hosts) {
    if (holder !== hash) continue
    hosts.delete(host)
    return
  }
}
