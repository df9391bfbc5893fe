import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { connect } from 'node:tls'
import fc from 'fast-check'
import { beforeAll, expect, test } from 'vitest'
import { readClientHello } from './client-hello.ts'

let hello: Buffer
let nameless: Buffer

beforeAll(async () => {
  hello = await helloOf('shop.example')
  nameless = await helloOf('')
})

/** The first bytes that a TLS client sends. */
async function helloOf(servername: string): Promise<Buffer> {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const client = connect({ host: '127.0.0.1', port, servername, rejectUnauthorized: false })
  client.on('error', () => undefined)
  const [socket] = await once(server, 'connection')
  const [bytes] = await once(socket, 'data')
  client.destroy()
  socket.destroy()
  server.close()
  return bytes
}

/** The same message in records of `size` bytes. */
function inRecords(bytes: Buffer, size: number): Buffer {
  const message = bytes.subarray(5)
  const records: Buffer[] = []
  for (let start = 0; start < message.length; start += size) {
    const part = message.subarray(start, start + size)
    records.push(Buffer.from([22, 3, 1, part.length >> 8, part.length & 255]), part)
  }
  return Buffer.concat(records)
}

test('says whom a connection is for, however its hello is cut into records', () => {
  for (const size of [1, 7, 100, 10_000]) {
    expect(readClientHello(inRecords(hello, size))).toEqual({ kind: 'hello', name: 'shop.example' })
  }
  expect(readClientHello(nameless)).toEqual({ kind: 'hello', name: null })
})

test('waits for the rest of a hello that is not whole', () => {
  for (let length = 0; length < hello.length; length++) {
    expect(readClientHello(hello.subarray(0, length))).toEqual({ kind: 'incomplete' })
  }
})

test.each([
  ['HTTP', Buffer.from('GET / HTTP/1.1\r\n\r\n')],
  ['ssh', Buffer.from('SSH-2.0-OpenSSH_9.2\r\n')],
  ['another handshake message', Buffer.from([22, 3, 1, 0, 4, 2, 0, 0, 0])],
  ['an empty record', Buffer.from([22, 3, 1, 0, 0])],
])('%s is no hello', (_what, bytes) => {
  expect(readClientHello(bytes)).toEqual({ kind: 'invalid' })
})

test('no bytes make it fail', () => {
  const damaged = fc.tuple(fc.nat(hello.length - 1), fc.nat(255)).map(([at, value]) => {
    const copy = Buffer.from(hello)
    copy[at] = value
    return copy
  })
  fc.assert(
    fc.property(fc.oneof(damaged, fc.uint8Array()), (bytes) => {
      expect(['hello', 'incomplete', 'invalid']).toContain(readClientHello(Buffer.from(bytes)).kind)
    }),
  )
})
