import type { ComputeNode, CorechannelAggregate, CoreNode } from '../aggregates/corechannel.ts'
import { addressKey } from '../identity/address-key.ts'

/** One node on which two registries do not agree. */
export interface RegistryDifference {
  hash: string
  /** What differs; `missing` and `surplus`: only the first, or only the second registry has the node. */
  fields: string[]
}

/** Published numbers went through floating point: below this, relative to their size, they are the same. */
const tolerance = 1e-9

const compared = {
  core: ['owner', 'status', 'multiaddress', 'reward', 'score', 'inactive_since', 'stakers', 'resource_nodes'],
  compute: ['owner', 'status', 'address', 'parent', 'reward', 'stream_reward', 'score', 'inactive_since'],
}

/**
 * Where two registries lead to different placement, rewards or payments: what only people read (names, pictures) is
 * not compared. Nodes by hash, core nodes first.
 */
export function registryDifferences(
  first: CorechannelAggregate,
  second: CorechannelAggregate,
): RegistryDifference[] {
  return [
    ...differencesOf(first.nodes, second.nodes, compared.core),
    ...differencesOf(first.resource_nodes, second.resource_nodes, compared.compute),
  ]
}

function differencesOf(
  first: readonly (CoreNode | ComputeNode)[],
  second: readonly (CoreNode | ComputeNode)[],
  fields: string[],
): RegistryDifference[] {
  const theirs = new Map(second.map((node) => [node.hash, node]))
  const ours = new Map(first.map((node) => [node.hash, node]))
  const differences: RegistryDifference[] = []
  for (const hash of [...new Set([...ours.keys(), ...theirs.keys()])].sort()) {
    const [a, b] = [ours.get(hash), theirs.get(hash)]
    const different = !b
      ? ['missing']
      : !a
        ? ['surplus']
        : fields.filter((field) => !same(a[field], b[field]))
    if (different.length > 0) differences.push({ hash, fields: different })
  }
  return differences
}

function same(a: unknown, b: unknown): boolean {
  if (typeof a === 'number' && typeof b === 'number') {
    return Math.abs(a - b) <= tolerance * Math.max(1, Math.abs(a), Math.abs(b))
  }
  if (typeof a === 'string' && typeof b === 'string') return addressKey('ETH', a) === addressKey('ETH', b)
  if (Array.isArray(a) && Array.isArray(b)) {
    return a.length === b.length && [...a].sort().every((each, index) => same(each, [...b].sort()[index]))
  }
  if (isObject(a) && isObject(b)) {
    const keys = Object.keys(a)
    return keys.length === Object.keys(b).length && keys.every((key) => same(a[key], b[key]))
  }
  return (a ?? null) === (b ?? null)
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
