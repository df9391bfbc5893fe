import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { connectVsock } from './connect-vsock.ts'

let directory: string
let path: string
let server: Server | null = null

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'aleph-vsock-'))
  path = join(directory, 'v.sock')
})
afterEach(async () => {
  server?.close()
  server = null
  await rm(directory, { recursive: true, force: true })
})

/** A hypervisor's end of the vsock; `answer` gets every first line. */
async function multiplexer(answer: (line: string, socket: Socket) => void): Promise<void> {
  server = createServer((socket) => {
    socket.on('error', () => {})
    socket.once('data', (bytes) => answer(bytes.toString(), socket))
  })
  server.listen(path)
  await once(server, 'listening')
}

test('a port of the guest is asked for by its number, and what follows the answer is the guest’s', async () => {
  await multiplexer((line, socket) => {
    expect(line).toBe('CONNECT 52\n')
    socket.write('OK 1073741824\nhello')
  })
  const socket = await connectVsock(path, 52, Date.now() + 30_000)
  const [bytes] = await once(socket, 'data')
  expect(bytes.toString()).toBe('hello')
  socket.destroy()
})

test('a guest that does not listen yet is asked again', async () => {
  let asked = 0
  await multiplexer((_line, socket) => {
    asked += 1
    if (asked < 3) socket.destroy()
    else socket.write('OK 1\n')
  })
  const socket = await connectVsock(path, 52, Date.now() + 30_000)
  expect(asked).toBe(3)
  socket.destroy()
})

test('a guest that never listens is given up at the deadline, also one that hangs', async () => {
  await multiplexer((_line, socket) => socket.destroy())
  await expect(connectVsock(path, 52, Date.now() + 100)).rejects.toMatchObject({ code: 'channel_timeout' })
  server?.close()
  await rm(path, { force: true })
  await multiplexer(() => {})
  await expect(connectVsock(path, 52, Date.now() + 100)).rejects.toMatchObject({ code: 'channel_timeout' })
})
