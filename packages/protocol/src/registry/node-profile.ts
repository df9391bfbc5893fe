import type { NodeProfile } from './registry-state.ts'

const longestText = 4096
const mostAuthorized = 10_000

/** A field of `details` that cannot be used. */
export class BadDetailError extends Error {
  override readonly name = 'BadDetailError'
}

/**
 * What details say about a node, over what is known of it: an absent field keeps its value, an explicit null is a
 * value (protocol 06 §2.4).
 *
 * @throws {BadDetailError}
 */
export function profileFrom(
  details: Readonly<Record<string, unknown>>,
  current: NodeProfile | null,
  owner: string,
): NodeProfile {
  const text = <K extends TextField>(field: K, initial = '') =>
    readText(details, field, current ? current[field] : initial)
  return {
    name: text('name'),
    multiaddress: text('multiaddress'),
    address: text('address'),
    picture: text('picture'),
    banner: text('banner'),
    description: text('description'),
    stream_reward: text('stream_reward'),
    registration_url: text('registration_url'),
    terms_and_conditions: text('terms_and_conditions'),
    reward: text('reward', owner),
    manager: text('manager'),
    locked: 'locked' in details ? Boolean(details.locked) : (current?.locked ?? false),
    authorized: readAuthorized(details, current?.authorized ?? []),
  }
}

type TextField = Exclude<keyof NodeProfile, 'locked' | 'authorized'>

function readText(
  details: Readonly<Record<string, unknown>>,
  field: string,
  otherwise: string | null,
): string | null {
  if (!(field in details)) return otherwise
  const value = details[field]
  if (value === null) return null
  if (typeof value !== 'string' || value.length > longestText) {
    throw new BadDetailError(`details.${field}: must be text of at most ${longestText} characters`)
  }
  return value
}

function readAuthorized(details: Readonly<Record<string, unknown>>, otherwise: string[]): string[] {
  const value = details.authorized
  if (value === undefined) return otherwise
  if (value === null || value === '') return []
  if (
    !Array.isArray(value) ||
    value.length > mostAuthorized ||
    value.some((each) => typeof each !== 'string')
  ) {
    throw new BadDetailError(`details.authorized: must be a list of at most ${mostAuthorized} addresses`)
  }
  return value as string[]
}
