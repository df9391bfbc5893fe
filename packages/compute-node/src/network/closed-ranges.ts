/** An address and how many of its bits count. */
export type AddressRange = readonly [address: string, bits: number]

/** IPv4 ranges that are not the public internet (IANA special-purpose registry). */
export const closedIpv4Ranges: readonly AddressRange[] = [
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
export const publicIpv6Range: AddressRange = ['2000::', 3]

/** Exceptions inside of it: tunnels can hide private targets. */
export const closedIpv6Ranges: readonly AddressRange[] = [
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20],
]
