/** A range of addresses: its first one, and how many leading bits are fixed. */
export type IpRange = readonly [first: string, bits: number]

/** IPv4 ranges that are not the public internet (IANA special-purpose registry). */
export const closedIpv4Ranges: readonly IpRange[] = [
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

/** The only IPv6 space that is public. */
export const openIpv6Ranges: readonly IpRange[] = [['2000::', 3]]
/** Exceptions in it: tunnels can hide private targets. */
export const closedIpv6Ranges: readonly IpRange[] = [
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20],
]

/**
 * Whether an IP address is public unicast, so that a node may connect to it on behalf of a stranger. Everything that
 * is not plainly public is not: loopback, private, link-local and metadata addresses, carrier NAT, multicast, mapped and
 * tunnelled forms, and what is no IP address at all.
 *
 * @param address as sockets tell it: `203.0.113.7`, `2001:db8::1`; never a name
 */
export function isPublicIp(address: string): boolean {
  const ipv4 = parseIpv4(address)
  if (ipv4 !== null) return !isInAny(ipv4, closedIpv4Ranges, 32)
  const ipv6 = parseIpv6(address)
  return ipv6 !== null && isInAny(ipv6, openIpv6Ranges, 128) && !isInAny(ipv6, closedIpv6Ranges, 128)
}

function isInAny(address: bigint, ranges: readonly IpRange[], width: number): boolean {
  return ranges.some(([first, bits]) => {
    const start = width === 32 ? parseIpv4(first)! : parseIpv6(first)!
    const shift = BigInt(width - bits)
    return address >> shift === start >> shift
  })
}

/** An IP address as a number; null for what is none, such as a name. */
export function parseIp(address: string): { version: 4 | 6; value: bigint } | null {
  const ipv4 = parseIpv4(address)
  if (ipv4 !== null) return { version: 4, value: ipv4 }
  const ipv6 = parseIpv6(address)
  return ipv6 === null ? null : { version: 6, value: ipv6 }
}

/** Four numbers without leading zeros, which some readers take for octal ones. */
function parseIpv4(text: string): bigint | null {
  const parts = text.split('.')
  if (parts.length !== 4 || !parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) < 256)) {
    return null
  }
  return parts.reduce((sum, part) => (sum << 8n) | BigInt(part), 0n)
}

function parseIpv6(text: string): bigint | null {
  const halves = text.split('::')
  if (halves.length > 2) return null
  const [head = [], tail] = halves.map(groupsOf)
  if (!head || tail === null) return null
  const missing = 8 - head.length - (tail?.length ?? 0)
  if (tail === undefined ? missing !== 0 : missing < 1) return null
  const groups = [...head, ...Array<bigint>(missing).fill(0n), ...(tail ?? [])]
  return groups.reduce((sum, group) => (sum << 16n) | group, 0n)
}

/** Groups of 16 bits; the last two may be written as IPv4. Null for anything else. */
function groupsOf(text: string): bigint[] | null {
  if (text === '') return []
  const parts = text.split(':')
  const groups: bigint[] = []
  for (const [index, part] of parts.entries()) {
    const ipv4 = index === parts.length - 1 ? parseIpv4(part) : null
    if (ipv4 !== null) groups.push(ipv4 >> 16n, ipv4 & 0xffffn)
    else if (/^[0-9a-fA-F]{1,4}$/.test(part)) groups.push(BigInt(`0x${part}`))
    else return null
  }
  return groups
}
