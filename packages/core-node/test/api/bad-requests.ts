import { type ApiRoute, snakeCase } from '@aleph-ts/protocol'
import type { z } from 'zod'

export interface BadRequest {
  method: string
  /** With its query, as it goes over the wire. */
  path: string
  headers?: Record<string, string>
  body?: string
  /** By the route's own schema it must be refused. */
  mustFail: boolean
}

const hash = 'a'.repeat(64)
const texts = [
  '',
  ' ',
  ',',
  '\0',
  'x',
  '-1',
  '0',
  '1.5',
  '1e400',
  'NaN',
  'Infinity',
  '-Infinity',
  '9'.repeat(40),
  '0x10',
  'true',
  'null',
  '[]',
  '{"$gt":1}',
  "' or 1=1 --",
  '\ud800',
  '\u202e',
  'é'.repeat(100),
  'x'.repeat(4000),
  'x,'.repeat(600),
  hash,
]
/** Encodings that say nothing. */
const raw = ['%', '%zz', '%ff', '%00', '%c3%28', '+', '&', '=', '[]=1', '[a]=1']
const values = [
  null,
  true,
  0,
  -1,
  1.5,
  1e308,
  '',
  'x',
  '\0',
  [],
  [null],
  {},
  { a: { b: [] } },
  '9'.repeat(400),
]
const cursorKeys = ['t', 'h', 'k', 'o', 'a', 'c', 'd', 'v', 's', 'r', 'i']
const odd = 'x'.repeat(2000)
const headers: Record<string, string>[] = [
  { range: 'bytes=9-1' },
  { range: `bytes=${'0-1,'.repeat(500)}` },
  { range: 'lines=1' },
  { 'if-none-match': odd },
  { 'if-range': odd },
  { 'accept-encoding': `${odd};q=nan` },
  { accept: odd },
  { 'last-event-id': '-1' },
  { 'last-event-id': '9'.repeat(100) },
  { 'x-request-id': odd },
  { 'x-forwarded-for': odd },
  { origin: odd },
  { 'content-type': 'x' },
  { 'content-type': 'application/json; charset=nonsense' },
]

/** Requests of a route that break a rule, or look as if they did: made from its path, its query and its body. */
export function* badRequests(route: ApiRoute): Generator<BadRequest> {
  const { method } = route
  const good = route.path.replaceAll(/\{\w+\}/g, hash)
  const body = method === 'POST' ? { headers: { 'content-type': 'application/json' }, body: '{}' } : {}
  for (const text of [...texts.map(encode), ...raw]) {
    for (const [parameter] of route.path.matchAll(/\{\w+\}/g)) {
      const path = route.path.replace(parameter, text).replaceAll(/\{\w+\}/g, hash)
      yield { method, path, ...body, mustFail: false }
    }
  }
  for (const extra of headers) {
    yield { method, path: good, ...body, headers: { ...body.headers, ...extra }, mustFail: false }
  }
  for (const [name, field] of Object.entries(route.query?.shape ?? {})) {
    for (const text of texts) {
      const mustFail = !isAllowed(field as z.ZodType, text)
      for (const spelling of new Set([name, snakeCase(name)])) {
        yield { method, path: `${good}?${spelling}=${encode(text)}`, mustFail }
      }
    }
    for (const text of raw) yield { method, path: `${good}?${name}=${text}`, mustFail: false }
    yield { method, path: `${good}?${name}=x&${name}=y&${name}[]=z`, mustFail: false }
  }
  if (route.query && 'cursor' in route.query.shape) yield* badCursors(method, good)
  if (method === 'POST') yield* badBodies(route, good)
}

function* badCursors(method: string, path: string): Generator<BadRequest> {
  const send = (position: unknown): BadRequest => {
    const cursor = Buffer.from(JSON.stringify(position)).toString('base64url')
    return { method, path: `${path}?pagination=20&cursor=${cursor}`, mustFail: false }
  }
  for (const value of values) {
    yield { ...send(value), mustFail: true }
    yield send(Object.fromEntries(cursorKeys.map((key) => [key, value])))
    for (const key of cursorKeys) {
      yield send({ t: 1, h: hash, k: 'k', o: 'o', a: 'a', c: 'c', d: '', v: '1', [key]: value })
      yield send({ s: 'message_timestamp', o: -1, v: '1', r: 'r', i: 0, [key]: value })
    }
  }
}

function* badBodies({ method, body: schema }: ApiRoute, path: string): Generator<BadRequest> {
  const json = { 'content-type': 'application/json' }
  const isSchema = schema !== undefined && !('raw' in schema)
  const send = (body: string, mustFail: boolean, contentType = json): BadRequest => {
    return { method, path, headers: contentType, body, mustFail }
  }
  for (const text of ['', '{', 'nonsense', '\0', '{"a":1}}', `${'['.repeat(50_000)}`]) {
    yield send(text, isSchema)
  }
  yield send('['.repeat(20_000) + ']'.repeat(20_000), false)
  for (const type of ['text/plain', 'multipart/form-data', 'multipart/form-data; boundary=x', 'x/y']) {
    yield send('{}', false, { 'content-type': type })
  }
  for (const value of values) {
    yield send(JSON.stringify(value), isSchema && !schema.safeParse(value).success)
    for (const key of ['message', 'sync', 'topic', 'data', 'time', 'type', 'resources']) {
      const body = { message: {}, topic: 'x', data: '{}', [key]: value }
      yield send(JSON.stringify(body), isSchema && !schema.safeParse(body).success)
    }
  }
}

function isAllowed(field: z.ZodType, text: string): boolean {
  return field.safeParse(text).success
}

/** Percent-encoded; half a surrogate pair as the bytes it would be. */
function encode(text: string): string {
  return text.isWellFormed() ? encodeURIComponent(text) : '%ed%a0%80'
}
