import { classifyHash } from '../hash/item-hash.ts'

/** The group after the pool's four says what runs there (protocol 05 §8.2). */
const kindGroup = { microvm: 1, 'persistent-program': 2, instance: 3, 'v-program': 4 } as const
export type VmKind = keyof typeof kindGroup

export interface VmIpv6 {
  /** The VM's own subnet, a /124. */
  network: string
  /** The host's end of it. */
  gateway: string
  /** The guest's address. */
  address: string
}

/**
 * The IPv6 subnet of a VM: a pure function of the node's pool and the VM's hash (protocol 05 §8.2).
 *
 * @param pool a /64 or /56, of which the first four groups are used.
 * @throws {TypeError} when the pool is not such a prefix or the hash not 64 hex digits.
 */
export function vmIpv6(pool: string, kind: VmKind, itemHash: string): VmIpv6 {
  if (classifyHash(itemHash) !== 'storage') throw new TypeError('vm hash: expected 64 lower-case hex digits')
  const groups = [
    ...poolGroups(pool),
    kindGroup[kind],
    Number.parseInt(itemHash.slice(0, 4), 16),
    Number.parseInt(itemHash.slice(4, 8), 16),
  ]
  const last = Number.parseInt(`${itemHash.slice(8, 11)}0`, 16)
  const gateway = formatIpv6([...groups, last])
  return { network: `${gateway}/124`, gateway, address: formatIpv6([...groups, last + 1]) }
}

function poolGroups(pool: string): number[] {
  const [prefix = '', length] = pool.split('/')
  const groups = expandIpv6(prefix)
  if (groups === null || (length !== '64' && length !== '56')) {
    throw new TypeError(`pool: expected an IPv6 prefix of length 64 or 56, got ${pool.slice(0, 64)}`)
  }
  return groups.slice(0, 4)
}

function expandIpv6(text: string): number[] | null {
  const halves = text.split('::')
  if (halves.length > 2) return null
  const [head = [], tail] = halves.map((half) => (half === '' ? [] : half.split(':')))
  const missing = 8 - head.length - (tail?.length ?? 0)
  if (tail === undefined ? missing !== 0 : missing < 1) return null
  const groups = [...head, ...Array<string>(tail === undefined ? 0 : missing).fill('0'), ...(tail ?? [])]
  return groups.every((group) => /^[0-9a-fA-F]{1,4}$/.test(group))
    ? groups.map((group) => Number.parseInt(group, 16))
    : null
}

/** RFC 5952: the longest run of two or more zero groups, the first of equals, becomes `::`. */
function formatIpv6(groups: number[]): string {
  let best = { start: 0, length: 0 }
  for (let start = 0; start < groups.length; start++) {
    let length = 0
    while (groups[start + length] === 0) length++
    if (length > best.length) best = { start, length }
  }
  const hex = groups.map((group) => group.toString(16))
  if (best.length < 2) return hex.join(':')
  return `${hex.slice(0, best.start).join(':')}::${hex.slice(best.start + best.length).join(':')}`
}
