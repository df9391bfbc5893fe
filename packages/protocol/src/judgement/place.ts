import type { NetworkProfile } from '../profile/network-profile.ts'
import { type Clocks, effectiveTime } from './effective-time.ts'

/**
 * Where a message stands in the one order in which all nodes judge messages. Places are compared as plain strings,
 * byte by byte: by effective time, then the sender's time, then hash.
 */
export type Place = string & { readonly __place: never }

/** After every message. */
export const endOfOrder = '~' as Place

const microsecondDigits = 17

/** The place of a message by itself, whatever it builds on. */
export function ownPlace(
  message: Clocks & { itemHash: string },
  profile: Pick<NetworkProfile, 'clocks'>,
): Place {
  const effective = digits(effectiveTime(message, profile))
  return `${effective}:${digits(message.contentTime)}:${message.itemHash}` as Place
}

/** The place of a moment (epoch seconds): before every message of that time. */
export function placeAt(time: number): Place {
  return digits(time) as Place
}

/**
 * Where a message is judged: after everything it names by hash, however wrong somebody's clock was. Hashes cannot
 * name each other in a circle, so this always ends.
 */
export function liftedPlace(own: Place, itemHash: string, dependencies: Place[]): Place {
  const latest = [own, ...dependencies].sort().at(-1)
  return latest === own ? own : (`${latest}/${itemHash}` as Place)
}

/** The effective time (epoch seconds) that a place stands for. */
export function timeOfPlace(place: Place): number {
  return Number(place.slice(0, microsecondDigits)) / 1e6
}

function digits(seconds: number): string {
  return String(Math.round(seconds * 1e6)).padStart(microsecondDigits, '0')
}
