import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { type AddressInfo, createConnection } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buffer, text } from 'node:stream/consumers'
import { connect, createServer, type Server } from 'node:tls'
import { pino } from 'pino'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Place } from './relay.ts'
import { TlsPassthrough } from './tls-passthrough.ts'

let folder: string
let shop: Server
let node: Server
const passing: TlsPassthrough[] = []

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'aleph-tls-'))
  const args = [
    'req',
    '-x509',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:P-256',
    '-nodes',
    '-days',
    '1',
  ]
  args.push('-subj', '/CN=test', '-keyout', join(folder, 'key'), '-out', join(folder, 'cert'))
  execFileSync('openssl', args, { stdio: 'ignore' })
  shop = await server('the shop')
  node = await server('the node')
})

afterAll(async () => {
  for (const each of passing) await each.stop()
  shop?.close()
  node?.close()
  rmSync(folder, { recursive: true, force: true })
})

/** Says who it is, then what it was told. */
async function server(words: string): Promise<Server> {
  const [key, cert] = ['key', 'cert'].map((name) => readFileSync(join(folder, name)))
  const listening = createServer({ key, cert, allowHalfOpen: true }, async (socket) => {
    socket.write(`${words}: `)
    socket.end(await buffer(socket))
  })
  listening.listen(0, '127.0.0.1')
  await once(listening, 'listening')
  return listening
}

const placeOf = (server: Server): Place => ({
  host: '127.0.0.1',
  port: (server.address() as AddressInfo).port,
})

async function passthrough(fallback: Place | null): Promise<number> {
  const each = new TlsPassthrough({
    listen: { host: '127.0.0.1', port: 0 },
    placeOf: async (name) => (name === 'shop.example' ? placeOf(shop) : null),
    fallback,
    logger: pino({ level: 'silent' }),
  })
  passing.push(each)
  return each.start()
}

async function ask(port: number, servername: string, words: string): Promise<string> {
  const socket = connect({ host: '127.0.0.1', port, servername, rejectUnauthorized: false })
  socket.end(words)
  return text(socket)
}

test('a connection goes to whom it asks for by name, all others to the node', async () => {
  const port = await passthrough(placeOf(node))
  const long = 'x'.repeat(1_000_000)
  expect(await ask(port, 'shop.example', long)).toBe(`the shop: ${long}`)
  expect(await ask(port, 'other.example', 'hello')).toBe('the node: hello')
  expect(await ask(port, '', 'hello')).toBe('the node: hello')
})

test('where the node has no TLS of its own, others are told that the name is unknown', async () => {
  const port = await passthrough(null)
  await expect(ask(port, 'other.example', 'hello')).rejects.toThrow('unrecognized name')
})

test('what is no TLS is hung up on', async () => {
  const port = await passthrough(placeOf(node))
  const socket = createConnection({ host: '127.0.0.1', port })
  socket.write('GET / HTTP/1.1\r\n\r\n')
  expect(await text(socket)).toBe('')
})
