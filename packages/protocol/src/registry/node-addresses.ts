const hostProtocols = new Set(['ip4', 'ip6', 'dns', 'dns4', 'dns6'])

/** The host that a multiaddress names: its first IP address or DNS name; null when it names none. */
export function multiaddressHost(multiaddress: string): string | null {
  const parts = multiaddress.split('/')
  if (parts[0] !== '') return null
  for (let index = 1; index + 1 < parts.length; index += 2) {
    const [protocol, value] = [parts[index]!, parts[index + 1]!]
    if (hostProtocols.has(protocol) && isHost(protocol, value)) return value.toLowerCase()
  }
  return null
}

/** The host name of an HTTP address; null when it is none. */
export function addressHost(address: string): string | null {
  try {
    const { protocol, hostname } = new URL(address)
    return (protocol === 'https:' || protocol === 'http:') && hostname !== '' ? hostname : null
  } catch {
    return null
  }
}

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
  hostOf: (address: string) => string | null,
): string {
  releaseHost(hosts, hash)
  const host = address === null ? null : hostOf(address)
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
