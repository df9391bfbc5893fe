import type { Random } from './random.ts'

/** What stands where something else should. */
const oddValues: unknown[] = [
  null,
  true,
  false,
  0,
  -0,
  -1,
  1.5,
  1e308,
  Number.MAX_SAFE_INTEGER + 2,
  -62_135_596_801,
  9_223_372_037,
  '',
  ' ',
  '0',
  '1e400',
  'NaN',
  'a\0b',
  '\\u0000',
  '\ud800',
  '\udc00\ud800',
  'İ',
  '\u202e',
  '__proto__',
  'constructor',
  'inline',
  'POST',
  'ETH',
  'QmYULJoNGPDmoRq4WNWTDTUvJGJv1hosox8H6vVd1kCsY8',
  '0'.repeat(64),
  `0x${'f'.repeat(40)}`,
  `0x${'ff'.repeat(65)}`,
  '1'.repeat(5_000),
  '💥'.repeat(600),
  [],
  {},
  [[]],
  [null],
  { toString: 1, valueOf: 1, length: -1 },
  JSON.parse('{"__proto__": {"polluted": true}, "constructor": {"prototype": {"polluted": true}}}'),
]
const oddKeys = [
  '__proto__',
  'constructor',
  'toString',
  'hasOwnProperty',
  '',
  '0',
  'a\0b',
  '\ud800',
  'address',
  'time',
]
/** Pieces that break text of any kind. */
const oddPieces = [
  '\0',
  '\\u0000',
  '\\ud800',
  '"',
  '{',
  ']',
  ',',
  '\\',
  'null',
  '1e999',
  '-',
  ' ',
  '\n',
  '0x',
  'é',
  '\ud83d',
]

/** One value put in another's place, or a key added, moved or taken away, somewhere inside; the input is left alone. */
export function mutateJson(random: Random, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || random.next() < 0.03) return oddValue(random)
  const copy: Record<string, unknown> = Array.isArray(value) ? ([...value] as never) : { ...value }
  const keys = Object.keys(copy)
  const key = keys.length > 0 ? random.of(keys) : '0'
  const choice = random.next()
  if (choice < 0.5) define(copy, key, mutateJson(random, copy[key]))
  else if (choice < 0.65) define(copy, key, oddValue(random))
  else if (choice < 0.75) delete copy[key]
  else if (choice < 0.85) define(copy, random.of(oddKeys), oddValue(random))
  else if (choice < 0.95) define(copy, random.of(keys.length > 0 ? keys : oddKeys), copy[key])
  else define(copy, key, wrapped(random, copy[key]))
  return copy
}

/** Characters added, taken away or doubled somewhere in text. */
export function mutateText(random: Random, text: string): string {
  const at = random.below(text.length + 1)
  const end = Math.min(text.length, at + random.below(4))
  const choice = random.next()
  if (choice < 0.4) return text.slice(0, at) + random.of(oddPieces) + text.slice(end)
  if (choice < 0.6) return text.slice(0, at) + text.slice(end)
  if (choice < 0.75) return text.slice(0, at) + String.fromCharCode(random.below(65_536)) + text.slice(end)
  if (choice < 0.85) return text.slice(0, at)
  if (choice < 0.95) return text.slice(0, end) + text.slice(at)
  return text.repeat(1 + random.below(20))
}

/** JSON text with a key given twice, a number no double holds, or nesting without end. */
export function oddJson(random: Random, text: string): string {
  const choice = random.below(5)
  if (choice === 0) return text.replace(/"([^"]{1,40})":/, '"$1":null,"$1":')
  if (choice === 1)
    return text.replace(/:\s*-?[0-9.]+/, `:${random.of(['1e400', '-1e400', '1E-400', '9'.repeat(400)])}`)
  if (choice === 2) return text.replace('{', `{"__proto__":${random.of(['1', '{"time":1}', '[]'])},`)
  const depth = 10 ** (1 + random.below(5))
  const nested =
    choice === 3 ? '['.repeat(depth) + ']'.repeat(depth) : `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`
  return text.replace('{', `{"deep":${nested},`)
}

/** Deeper than JSON.stringify can follow, as JSON.parse makes it. */
const bottomless: unknown = JSON.parse('['.repeat(50_000) + ']'.repeat(50_000))

function oddValue(random: Random): unknown {
  if (random.next() < 0.01) return bottomless
  return random.next() < 0.02 ? 'a'.repeat(10 ** random.below(6)) : random.of(oddValues)
}

function wrapped(random: Random, value: unknown): unknown {
  let result = value
  for (let depth = 2 ** random.below(11); depth > 0; depth--)
    result = random.next() < 0.5 ? [result] : { a: result }
  return result
}

/** As JSON text would: `__proto__` is a key like any other. */
function define(target: object, key: string, value: unknown): void {
  Object.defineProperty(target, key, { value, enumerable: true, configurable: true, writable: true })
}
