import { vmIpv6 } from '@aleph-ts/protocol'

/** The network's nodes begin to count VMs at four (protocol 05 §1, `START_ID_INDEX`). */
export const firstLinkIndex = 4

const guestBits = 24

/** One end-to-end subnet. */
export interface LinkSubnet {
  /** With its length, such as `172.16.4.0/24`. */
  network: string
  /** The host's address. */
  gateway: string
  /** The guest's address. */
  address: string
}

/** The cable between the host and one guest: what is at its ends. Plain data. */
export interface TapLink {
  /** Name of the host's end. */
  tap: string
  /** Hardware address of the guest's end. */
  mac: string
  ipv4: LinkSubnet
  ipv6: LinkSubnet
}

/** Where links take their names and addresses from. */
export interface LinkPools {
  tapPrefix: string
  /** Such as `172.16.0.0/12`; every VM gets a /24 of it. */
  ipv4Pool: string
  /** A /64 or /56. */
  ipv6Pool: string
}

/**
 * Names and addresses of an instance's link: IPv4 by its index on this node, IPv6 by its hash alone
 * (protocol 05 §8.1, §8.2).
 *
 * @throws {TypeError} when the index is beyond the pool.
 */
export function tapLink(pools: LinkPools, index: number, itemHash: string): TapLink {
  if (!Number.isInteger(index) || index < 0 || index >= linksIn(pools.ipv4Pool)) {
    throw new TypeError(`link index: ${index} is not within the pool ${pools.ipv4Pool}`)
  }
  const base = poolBase(pools.ipv4Pool) + index * 2 ** (32 - guestBits)
  return {
    tap: `${pools.tapPrefix}${index}`,
    mac: macOf(itemHash),
    ipv4: {
      network: `${formatIpv4(base)}/${guestBits}`,
      gateway: formatIpv4(base + 1),
      address: formatIpv4(base + 2),
    },
    ipv6: vmIpv6(pools.ipv6Pool, 'instance', itemHash),
  }
}

/** How many VMs an IPv4 pool has room for. Throws TypeError when it is no pool. */
export function linksIn(ipv4Pool: string): number {
  return 2 ** (guestBits - poolBits(ipv4Pool))
}

function poolBits(pool: string): number {
  const bits = Number(pool.split('/')[1])
  if (!Number.isInteger(bits) || bits < 8 || bits > guestBits) {
    throw new TypeError(`pool: expected an IPv4 prefix of length 8 to ${guestBits}, got ${pool.slice(0, 64)}`)
  }
  return bits
}

/** The pool's first address as a number. */
function poolBase(pool: string): number {
  const octets = (pool.split('/')[0] as string).split('.').map(Number)
  const size = 2 ** (32 - poolBits(pool))
  const address = octets.reduce((number, octet) => number * 256 + octet, 0)
  return address - (address % size)
}

function formatIpv4(address: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(address / 2 ** shift) % 256).join('.')
}

/** Locally administered, and the guest's own wherever it runs. */
function macOf(itemHash: string): string {
  return ['02', ...(itemHash.slice(0, 10).match(/../g) ?? [])].join(':')
}
