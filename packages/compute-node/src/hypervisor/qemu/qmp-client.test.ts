import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { QmpClient } from './qmp-client.ts'

interface Command {
  execute: string
  arguments?: unknown
  id: number
}

let directory: string
let path: string
let server: Server
let sockets: Socket[]
let answer: (command: Command, socket: Socket) => void

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'aleph-qmp-'))
  path = join(directory, 'qmp')
  sockets = []
  answer = ({ id }, socket) => socket.write(`${JSON.stringify({ return: {}, id })}\r\n`)
  server = createServer((socket) => {
    sockets.push(socket)
    socket.on('error', () => {})
    socket.write('{"QMP": {"version": {}, "capabilities": []}}\r\n')
    createInterface({ input: socket }).on('line', (line) => answer(JSON.parse(line), socket))
  })
  await new Promise<void>((resolve) => server.listen(path, resolve))
})

afterEach(async () => {
  for (const socket of sockets) socket.destroy()
  await new Promise((resolve) => server.close(resolve))
  await rm(directory, { recursive: true, force: true })
})

test('answers reach their commands in whatever order and pieces they come', async () => {
  const client = await QmpClient.connect(path)
  const waiting: Command[] = []
  answer = (command, socket) => {
    waiting.push(command)
    if (waiting.length < 2) return
    const text = waiting
      .reverse()
      .map(({ execute, id }) => `${JSON.stringify({ return: execute, id })}\r\n`)
      .join('')
    for (const letter of text) socket.write(letter)
  }
  expect(await Promise.all([client.execute('first'), client.execute('second')])).toEqual(['first', 'second'])
  client.close()
})

test('a refusal carries QEMU’s own words', async () => {
  const client = await QmpClient.connect(path)
  answer = ({ id }, socket) =>
    socket.write(`${JSON.stringify({ error: { class: 'GenericError', desc: 'no such thing' }, id })}\n`)
  await expect(client.execute('x')).rejects.toMatchObject({
    code: 'hypervisor_failed',
    message: 'QEMU refused: no such thing',
  })
  client.close()
})

test('events are waited for by what they say', async () => {
  const client = await QmpClient.connect(path)
  const completed = client.waitFor('MIGRATION', ({ status }) => status === 'completed', 5000)
  for (const status of ['setup', 'active', 'completed']) {
    sockets[0]?.write(`${JSON.stringify({ event: 'MIGRATION', data: { status } })}\n`)
  }
  expect(await completed).toEqual({ status: 'completed' })
  client.close()
})

test('when QEMU goes, everything that waits for it is told', async () => {
  const client = await QmpClient.connect(path)
  answer = () => {}
  const command = client.execute('x')
  const event = client.waitFor('STOP', () => true, 5000)
  sockets[0]?.destroy()
  await expect(command).rejects.toMatchObject({ code: 'hypervisor_failed' })
  await expect(event).rejects.toMatchObject({ code: 'hypervisor_failed' })
  await expect(client.execute('later')).rejects.toMatchObject({ code: 'hypervisor_failed' })
  expect(client.closed).toBe(true)
})

test('an event that does not come in time is an error', async () => {
  const client = await QmpClient.connect(path)
  await expect(client.waitFor('STOP', () => true, 10)).rejects.toMatchObject({ code: 'hypervisor_timeout' })
  client.close()
})

test('what is not QMP ends the connection instead of this process', async () => {
  const client = await QmpClient.connect(path)
  answer = (_, socket) => socket.write('not json\n')
  await expect(client.execute('x')).rejects.toMatchObject({ code: 'hypervisor_failed' })
})

test('connecting to nobody is refused', async () => {
  await expect(QmpClient.connect(join(directory, 'nobody'))).rejects.toMatchObject({
    code: 'hypervisor_failed',
  })
})
