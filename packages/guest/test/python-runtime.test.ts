import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import type { Duplex } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { QemuGuest } from './qemu-guest.ts'

const application = `
import asyncio
import json
import os
import random
import ssl
import urllib.request

started = False
heard = []
ended = 0
random.seed(1)

def facts(scope):
    with open('/proc/net/unix') as sockets:
        agents = [line for line in sockets if '@aleph/program' in line]
    return {
        'client': scope['client'][0],
        'port': type(scope['client'][1]).__name__,
        'server': scope['server'],
        'connections': len(agents) - 1,
        'inherited': [name for name in os.environ if name.startswith('ALEPH_')],
    }

def call_by_port():
    with urllib.request.urlopen('http://127.0.0.1:8080/facts') as answer:
        return answer.read()

async def answer(send, body, status=200):
    await send({'type': 'http.response.start', 'status': status, 'headers': []})
    await send({'type': 'http.response.body', 'body': body})

async def tick(receive, send):
    global ended
    await send({'type': 'http.response.start', 'status': 200, 'headers': []})
    await send({'type': 'http.response.body', 'body': b'tick', 'more_body': True})
    await receive()
    while (await receive())['type'] != 'http.disconnect':
        pass
    ended += 1

async def talk(receive, send):
    await receive()
    await send({'type': 'websocket.accept'})
    while (message := await receive())['type'] == 'websocket.receive':
        await send({'type': 'websocket.send', 'text': message['text'].upper()})

async def app(scope, receive, send):
    global started
    if scope['type'] == 'lifespan':
        await receive()
        started = True
        await send({'type': 'lifespan.startup.complete'})
        return
    if scope['type'] == 'aleph.message':
        heard.append(scope['body'] + (await receive())['body'])
        return
    if scope['type'] == 'websocket':
        return await talk(receive, send)
    path = scope['path']
    if path == '/facts':
        return await answer(send, json.dumps(facts(scope)).encode())
    if path == '/by-port':
        return await answer(send, await asyncio.to_thread(call_by_port))
    if path == '/ticks':
        return await tick(receive, send)
    if path == '/ended':
        return await answer(send, str(ended).encode())
    if path == '/secret':
        return await answer(send, ssl.RAND_bytes(16).hex().encode())
    if path == '/draw':
        return await answer(send, str(random.random()).encode())
    if path == '/heard':
        return await answer(send, ','.join(heard).encode())
    await send({'type': 'http.response.start', 'status': 200 if started else 500, 'headers': []})
    more = True
    while more:
        message = await receive()
        more = message.get('more_body', False)
        await send({'type': 'http.response.body', 'body': message.get('body', b''), 'more_body': True})
    await send({'type': 'http.response.body', 'body': scope['query_string']})
`

describe('a Python ASGI application, told to a guest that was ready before', () => {
  let guest: QemuGuest

  beforeAll(async () => {
    guest = await QemuGuest.boot({
      runtime: 'python',
      files: { 'main.py': application },
      prepare: true,
      configure: { entrypoint: 'main:app' },
    })
    expect((await guest.start()).verb, await guest.consoleText()).toBe('ready')
  })

  afterAll(() => guest?.[Symbol.asyncDispose]())

  const text = async (path: string) => (await guest.fetch(path)).body.toString()

  it('draws what it seeded itself, until a reseed makes it a clone', async () => {
    const [first, second] = [0.13436424411240122, 0.8474337369372327]
    expect(Number(await text('/draw'))).toBe(first)
    await guest.channel.control('reseed', { entropy: randomBytes(32).toString('hex') })
    expect(Number(await text('/draw'))).not.toBe(second)
    expect(await text('/secret')).not.toBe(await text('/secret'))
  })

  it('starts with its lifespan, and streams 2 MiB in and out', async () => {
    const sent = randomBytes(2 * 1024 * 1024)
    const { status, body } = await guest.fetch('/?a=b%26c', { method: 'POST', body: sent })
    expect(status).toBe(200)
    expect(body.equals(Buffer.concat([sent, Buffer.from('a=b%26c')]))).toBe(true)
  })

  it('hears of messages', async () => {
    const message = { method: 'POST', headers: { 'aleph-event': 'message' }, body: Buffer.from('{}') }
    expect((await guest.fetch('/.well-known/aleph/message', message)).status).toBe(204)
    expect(await text('/heard')).toBe('{}{}')
  })

  it('is called from this machine, whether by its node or at its port', async () => {
    const byNode = JSON.parse(await text('/facts'))
    const byPort = JSON.parse(await text('/by-port'))
    const local = { client: '127.0.0.1', port: 'int', server: ['127.0.0.1', 8080], inherited: [] }
    expect(byNode).toMatchObject({ ...local, connections: 1 })
    expect(byPort).toMatchObject({ ...local, connections: 1 })
  })

  it('answers HEAD without a body, and many requests on one connection', async () => {
    expect(await guest.fetch('/facts', { method: 'HEAD' })).toMatchObject({ status: 200, body: Buffer.of() })
    const stream = guest.channel.openStream('tcp:8080')
    const request = 'GET /ended HTTP/1.1\r\nhost: vm\r\n'
    stream.write(`${request}\r\n${request}\r\n${request}connection: close\r\n\r\n`)
    const answers = (await stream.toArray()).join('')
    expect(answers.match(/HTTP\/1.1 200 OK/g)).toHaveLength(3)
  })

  it('hears that a client went away', async () => {
    const stream = guest.channel.openStream('tcp:8080')
    stream.write('GET /ticks HTTP/1.1\r\nhost: vm\r\n\r\n')
    await once(stream, 'data')
    stream.destroy()
    while ((await text('/ended')) !== '1') await sleep(20)
  })

  it('talks through WebSockets', async () => {
    const stream = guest.channel.openStream('tcp:8080')
    const key = randomBytes(16).toString('base64')
    const upgrade = ['upgrade: websocket', 'connection: upgrade', 'sec-websocket-version: 13']
    stream.write(['GET / HTTP/1.1', 'host: vm', ...upgrade, `sec-websocket-key: ${key}`, '', ''].join('\r\n'))
    expect(await read(stream)).toContain('101')
    // A final text frame of five bytes, with a mask of zeros.
    stream.write(Buffer.from([0x81, 0x85, 0, 0, 0, 0, ...Buffer.from('hello')]))
    expect(await read(stream)).toContain('HELLO')
    stream.destroy()
  })

  it('goes on after a rehearsal', async () => {
    await guest.channel.control('rehearse')
    await guest.channel.control('connect')
    expect(await text('/ended')).toBe('1')
    expect(await guest.consoleText()).not.toContain('Traceback')
  })

  it('ends when asked', async () => {
    await guest.channel.control('halt')
    await guest.ended()
    expect(await guest.consoleText()).toContain('program ended with code 0')
  })
})

describe('a Python program', () => {
  it('that cannot be imported ends with the traceback in the log', async () => {
    await using guest = await QemuGuest.boot({
      runtime: 'python',
      files: { 'main.py': 'import nothing_of_that_name' },
      configure: { entrypoint: 'main:app' },
    })
    const { verb, fields } = await guest.start()
    expect([verb, fields.code]).toEqual(['exited', '1'])
    expect(await guest.consoleText()).toContain("No module named 'nothing_of_that_name'")
  })
})

/** The next bytes, as text. */
async function read(stream: Duplex): Promise<string> {
  const [bytes] = await once(stream, 'data')
  return String(bytes)
}
