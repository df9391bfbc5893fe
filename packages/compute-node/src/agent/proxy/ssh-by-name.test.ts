import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { type AddressInfo, createServer, connect as dial, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { connect } from 'node:tls'
import { pino } from 'pino'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { SshByName } from './ssh-by-name.ts'

let folder: string
let instance: Server
let door: SshByName
let port: number

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'aleph-ssh-'))
  const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '1']
  const files = ['-subj', '/CN=test', '-keyout', join(folder, 'key'), '-out', join(folder, 'cert')]
  execFileSync('openssl', ['req', '-x509', ...kind, ...files], { stdio: 'ignore' })
  // Says its version, then what it is told, as ssh servers begin.
  instance = createServer((socket) => {
    socket.write('SSH-2.0-test\r\n')
    socket.pipe(socket)
  })
  instance.listen(0, '127.0.0.1')
  await once(instance, 'listening')
  const place = { host: '127.0.0.1', port: (instance.address() as AddressInfo).port }
  door = new SshByName({
    listen: { host: '127.0.0.1', port: 0 },
    certificate: readFileSync(join(folder, 'cert'), 'utf8'),
    key: readFileSync(join(folder, 'key'), 'utf8'),
    placeOf: async (name) => (name === 'machine.example' ? place : null),
    logger: pino({ level: 'silent' }),
  })
  port = await door.start()
})

afterAll(async () => {
  await door?.stop()
  instance?.close()
  rmSync(folder, { recursive: true, force: true })
})

/** All that comes back for a name, after saying something. */
async function say(servername: string, words: string): Promise<string> {
  const socket = connect({ host: '127.0.0.1', port, servername, rejectUnauthorized: false })
  socket.end(words)
  return text(socket)
}

test('a client that names an instance inside TLS speaks with its ssh server', async () => {
  expect(await say('Machine.example', 'SSH-2.0-client\r\n')).toBe('SSH-2.0-test\r\nSSH-2.0-client\r\n')
})

test('a name that is nobody’s here is told so, and none is too', async () => {
  expect(await say('other.example', '')).toBe('No instance of the name other.example runs here\r\n')
  expect(await say('', '')).toBe('No instance of the name (none given) runs here\r\n')
})

test('a client that does not speak TLS is closed on, and the door stays open', async () => {
  const socket = dial({ host: '127.0.0.1', port })
  socket.on('error', () => undefined)
  socket.write('SSH-2.0-client\r\n')
  await once(socket.resume(), 'close')
  expect(await say('machine.example', '')).toBe('SSH-2.0-test\r\n')
})

test('a door that closes takes every connection with it, those without a handshake too', async () => {
  const silent = dial({ host: '127.0.0.1', port })
  silent.on('error', () => undefined)
  const speaking = connect({
    host: '127.0.0.1',
    port,
    servername: 'machine.example',
    rejectUnauthorized: false,
  })
  speaking.on('error', () => undefined)
  await once(speaking, 'data')
  const closed = [silent, speaking].map((socket) => once(socket.resume(), 'close'))
  await door.stop()
  await Promise.all(closed)
})
