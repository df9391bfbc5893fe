import { parseContentText } from '../content/content-text.ts'
import { parseContent } from '../content/parse-content.ts'
import { formatError } from '../errors/protocol-error.ts'
import { itemHash } from '../hash/item-hash.ts'
import type { CostInput } from './compute-cost.ts'

const types = ['STORE', 'PROGRAM', 'INSTANCE', 'V-PROGRAM'] as const

export interface Estimate {
  type: CostInput['type']
  /** Parsed content, with the estimated sizes the sender gave. */
  content: Record<string, unknown> & { address?: string }
  itemHash: string
}

/**
 * Reads the message of an estimate (protocol 03 §11.2): like a real one, but unsigned, and files that are not stored
 * yet may come with `estimated_size_mib`.
 *
 * @throws {ProtocolError} INVALID_FORMAT
 */
export function parseEstimate(message: unknown): Estimate {
  if (typeof message !== 'object' || message === null) throw formatError('message: must be an object')
  const { type, item_content: text, item_hash: hash } = message as Record<string, unknown>
  if (!types.includes(type as (typeof types)[number])) {
    throw formatError(`type: must be one of ${types.join(', ')}`)
  }
  if (typeof text !== 'string') throw formatError('item_content: must be the JSON text of the content')
  if (hash != null && hash !== itemHash(text)) throw formatError('item_hash: does not match item_content')
  const raw = { time: 0, allow_amend: false, ...parseContentText(text) } as Record<string, unknown>
  if (type === 'STORE') delete raw.allow_amend
  const estimates = takeEstimates(raw)
  const content = parseContent(type as CostInput['type'], raw) as Record<string, unknown>
  giveBack(content, estimates)
  return { type: type as CostInput['type'], content, itemHash: itemHash(text) }
}

const paths = ['code', 'runtime', 'data']

/** The schemas of messages know no estimates: they are set aside while the content is checked. */
function takeEstimates(raw: Record<string, unknown>): Map<string, number> {
  const estimates = new Map<string, number>()
  for (const [path, part] of partsByPath(raw)) {
    const value = part.estimated_size_mib
    delete part.estimated_size_mib
    if (value === undefined || value === null) continue
    if (typeof value !== 'number' || !(value > 0) || value > 1e9) {
      throw formatError(`${path || 'content'}.estimated_size_mib: must be a positive number`)
    }
    estimates.set(path, value)
  }
  return estimates
}

function giveBack(content: Record<string, unknown>, estimates: Map<string, number>): void {
  for (const [path, part] of partsByPath(content)) {
    const estimate = estimates.get(path)
    if (estimate !== undefined) part.estimated_size_mib = estimate
  }
}

function partsByPath(content: Record<string, unknown>): [string, Record<string, unknown>][] {
  const volumes = Array.isArray(content.volumes) ? content.volumes : []
  const named = paths.map((path) => [path, content[path]] as const)
  const numbered = volumes.map((volume, index) => [`volumes.${index}`, volume] as const)
  return [['', content] as const, ...named, ...numbered].filter(
    (entry): entry is [string, Record<string, unknown>] => typeof entry[1] === 'object' && entry[1] !== null,
  )
}
