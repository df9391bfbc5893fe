import { lookup } from 'node:dns/promises'
import { createReadStream } from 'node:fs'
import { createInterface } from 'node:readline'
import { parseIp } from '@aleph-ts/protocol'

/** A network under one operator, as the internet's routing knows it. */
export interface AutonomousSystem {
  asn: number
  name: string
}

/**
 * Which autonomous systems hosts are in, by a table of address ranges: a text file of lines with first address, last
 * address, number, country and description, with tabs between them, as iptoasn.com publishes it. It is read through once,
 * so a newer one may take its place at any time.
 *
 * @param hosts names or addresses; those that cannot be resolved, or are in no range, are left out
 * @throws when the file cannot be read
 */
export async function findAutonomousSystems(
  file: string,
  hosts: Iterable<string>,
): Promise<Map<string, AutonomousSystem>> {
  const wanted = await resolved(new Set(hosts))
  const found = new Map<string, AutonomousSystem>()
  if (wanted.length === 0) return found
  for await (const line of createInterface({ input: createReadStream(file) })) {
    const [first = '', last = '', number, country = '', description = ''] = line.split('\t')
    const [start, end] = [parseIp(first), parseIp(last)]
    const asn = Number(number)
    // Ranges that nobody announces have the number 0.
    if (!start || !end || !Number.isSafeInteger(asn) || asn <= 0) continue
    for (const { host, version } of within(wanted, start.value, end.value)) {
      if (version === start.version) found.set(host, { asn, name: `${description}, ${country}` })
    }
  }
  return found
}

interface Address {
  host: string
  version: 4 | 6
  value: bigint
}

/** Sorted by value. */
async function resolved(hosts: Set<string>): Promise<Address[]> {
  const addresses = await Promise.all(
    [...hosts].map(async (host) => {
      const bare = host.replace(/^\[(.*)\]$/, '$1')
      if (bare === '') return null
      const address = parseIp(bare) ? bare : await addressOf(bare)
      const ip = parseIp(address)
      return ip ? { host, ...ip } : null
    }),
  )
  return addresses
    .filter((address) => address !== null)
    .sort((a, b) => (a.value < b.value ? -1 : a.value > b.value ? 1 : 0))
}

/** Address of a name; empty when it has none. */
async function addressOf(name: string): Promise<string> {
  try {
    return (await lookup(name)).address
  } catch {
    return ''
  }
}

/** Addresses from a first to a last one. */
function within(sorted: readonly Address[], start: bigint, end: bigint): Address[] {
  let [low, high] = [0, sorted.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if (sorted[middle]!.value < start) low = middle + 1
    else high = middle
  }
  const result: Address[] = []
  for (let index = low; index < sorted.length && sorted[index]!.value <= end; index++) {
    result.push(sorted[index]!)
  }
  return result
}
