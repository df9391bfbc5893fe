import { stripVTControlCharacters } from 'node:util'

/** Text from the network for a terminal: one line, without control characters, not endless. */
export function printable(text: string, limit = 80): string {
  const clean = stripVTControlCharacters(text).replace(/[\p{Cc}\p{Cf}]+/gu, ' ')
  return clean.length > limit ? `${clean.slice(0, limit - 1)}…` : clean
}

/** An amount for people: never more than it is, and not eighteen digits of it. */
export function shownAmount(amount: string): string {
  const [whole = '0', fraction = ''] = amount.split('.')
  const shown = fraction.slice(0, 6).replace(/0+$/, '')
  return shown === '' ? whole : `${whole}.${shown}`
}

/** A time of the network (seconds since 1970, or ISO text) in the form people sort by. */
export function shownTime(time: number | string | null | undefined): string {
  if (time === null || time === undefined) return ''
  const date = new Date(typeof time === 'number' ? time * 1000 : time)
  return Number.isNaN(date.getTime()) ? '' : date.toISOString().slice(0, 19).replace('T', ' ')
}
