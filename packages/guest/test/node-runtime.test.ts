import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import type { Duplex } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { GuestChannel } from '../src/index.ts'
import { QemuGuest } from './qemu-guest.ts'

const program = `
import { readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { hostname } from 'node:os'

type Answer = Record<string, unknown>
let aborted = 0

function facts(): Answer {
  return {
    hostname: hostname(),
    uid: process.getuid?.(),
    greeting: process.env.GREETING,
    proxy: process.env.HTTP_PROXY,
    argv: process.argv.slice(1),
    folder: process.cwd(),
    inherited: Object.keys(process.env).filter((name) => name.startsWith('ALEPH_')),
    devices: readFileSync('/proc/net/dev', 'utf8'),
    routes: readFileSync('/proc/net/route', 'utf8'),
    agentSockets: readFileSync('/proc/net/unix', 'utf8').split('@aleph/program').length - 1,
    uptime: Date.now(),
  }
}

export default async function (request: Request): Promise<Response> {
  const { pathname, search } = new URL(request.url)
  if (pathname === '/facts') return Response.json(facts())
  if (pathname === '/echo') return new Response(request.body)
  if (pathname === '/url') return new Response(request.url + ' ' + search)
  if (pathname === '/cookies') {
    const headers = new Headers()
    headers.append('set-cookie', 'a=1')
    headers.append('set-cookie', 'b=2')
    return new Response(null, { status: 204, headers })
  }
  if (pathname === '/crash') throw new Error('broken on purpose')
  if (pathname === '/device') return new Response(String(readFileSync('/dev/vport1p1')))
  if (pathname === '/ticks') {
    request.signal.addEventListener('abort', () => aborted++)
    const body = new ReadableStream({
      async pull(controller) {
        await new Promise((go) => setTimeout(go, 5))
        controller.enqueue(new TextEncoder().encode('tick\\n'))
      },
    })
    return new Response(body)
  }
  if (pathname === '/by-port') return fetch('http://127.0.0.1:8080/url')
  if (pathname === '/aborted') return new Response(String(aborted))
  if (pathname === '/egress') {
    const socket = connect(3128, '127.0.0.1')
    socket.end('from the guest')
    const chunks = []
    for await (const chunk of socket) chunks.push(chunk)
    return new Response(Buffer.concat(chunks))
  }
  return new Response('not here', { status: 404 })
}
`

describe('a TypeScript function, told to a guest that was ready before', () => {
  let guest: QemuGuest

  beforeAll(async () => {
    guest = await QemuGuest.boot({
      runtime: 'node',
      files: { 'main.ts': program },
      prepare: true,
      configure: {
        cmd: ['/usr/bin/node', '/aleph/serve.mjs', 'main.ts', 'one', ''],
        'env.GREETING': 'good day',
        internet: '1',
      },
    })
    const outcome = await guest.start()
    expect(outcome.verb, await guest.consoleText()).toBe('ready')
  })

  afterAll(() => guest?.[Symbol.asyncDispose]())

  it('runs as an ordinary user, with its environment and host name', async () => {
    const { body } = await guest.fetch('/facts')
    const facts = JSON.parse(body.toString())
    expect(facts).toMatchObject({ uid: 1000, greeting: 'good day', hostname: 'guest-under-test' })
    expect(facts).toMatchObject({ argv: ['/code/main.ts', 'one', ''], folder: '/code', inherited: [] })
  })

  it('sees no network device but loopback and no route', async () => {
    const facts = JSON.parse((await guest.fetch('/facts')).body.toString())
    const devices = facts.devices
      .split('\n')
      .slice(2)
      .map((line: string) => line.trim().split(':')[0])
      .filter(Boolean)
    expect(devices).toEqual(['lo'])
    expect(facts.routes.trim().split('\n')).toHaveLength(1)
  })

  it('is reached at a unix socket by its node, and answers at its port', async () => {
    const { agentSockets } = JSON.parse((await guest.fetch('/facts')).body.toString())
    expect(agentSockets, 'one that listens, one of this connection').toBe(2)
    expect((await guest.fetch('/by-port')).body.toString()).toBe('http://127.0.0.1:8080/url ')
  })

  it('cannot touch the channel to the host', async () => {
    expect((await guest.fetch('/device')).status).toBe(500)
  })

  it('gets the URL as the client wrote it', async () => {
    const { body } = await guest.fetch('/url?a=b%26c')
    expect(body.toString()).toBe('http://vm.test/url?a=b%26c ?a=b%26c')
  })

  it('streams 2 MiB in and out again', async () => {
    const sent = randomBytes(2 * 1024 * 1024)
    const { status, body } = await guest.fetch('/echo', { method: 'POST', body: sent })
    expect(status).toBe(200)
    expect(body.equals(sent)).toBe(true)
  })

  it('keeps several cookies apart', async () => {
    const { status, headers } = await guest.fetch('/cookies')
    expect(status).toBe(204)
    expect(headers['set-cookie']).toEqual(['a=1', 'b=2'])
  })

  it('answers 500 when its handler throws, and the log says where', async () => {
    expect((await guest.fetch('/crash')).status).toBe(500)
    expect(await guest.consoleText()).toContain('broken on purpose')
  })

  it('hears that a client went away', async () => {
    const stream = guest.channel.openStream('tcp:8080')
    stream.write('GET /ticks HTTP/1.1\r\nhost: vm\r\n\r\n')
    await once(stream, 'data')
    stream.destroy()
    while ((await guest.fetch('/aborted')).body.toString() !== '1');
  })

  it('serves many requests at once', async () => {
    const answers = await Promise.all(Array.from({ length: 32 }, (_, i) => guest.fetch(`/url?${i}`)))
    expect(answers.map(({ body }) => body.toString().split('?').at(-1))).toEqual(
      answers.map((_, i) => String(i)),
    )
  })

  it('reaches the host only through the egress stream', async () => {
    guest.channel.onStream(async (destination: string, stream: Duplex) => {
      const said = (await stream.toArray()).join('')
      stream.end(`${destination}: ${said}`)
    })
    const { body } = await guest.fetch('/egress')
    expect(body.toString()).toBe('egress: from the guest')
  })

  it('takes entropy and the time', async () => {
    await guest.channel.control('reseed', { entropy: randomBytes(64).toString('hex') })
    expect(await guest.consoleText()).not.toContain('did not renew')
    await guest.channel.control('settime', { time: '1893456000.5' })
    const { uptime } = JSON.parse((await guest.fetch('/facts')).body.toString())
    expect(Math.floor(uptime / 86_400_000)).toBe(Math.floor(1_893_456_000 / 86_400))
    await expect(guest.channel.control('reseed', { entropy: 'xyz' })).rejects.toMatchObject({
      code: 'control_refused',
    })
  })

  it('gets a reset for a port on which nothing listens', async () => {
    const [error] = await once(guest.channel.openStream('tcp:9'), 'error')
    expect(error).toMatchObject({ code: 'stream_reset' })
  })

  it('keeps running when the host leaves and comes back', async () => {
    const orphan = guest.channel.openStream('tcp:8080')
    orphan.write('GET /ticks HTTP/1.1\r\nhost: vm\r\n\r\n')
    await once(orphan, 'data')
    await guest.channel.close()
    await using again = await GuestChannel.connect(guest.socketPath, { timeoutMs: 10_000 })
    expect(again.programState).toBe('ready')
    const stream = again.openStream('tcp:8080')
    stream.end('GET /url HTTP/1.1\r\nhost: vm\r\nconnection: close\r\n\r\n')
    expect((await stream.toArray()).join('')).toContain('200 OK')
    await again.control('halt')
    await guest.ended()
  })
})

describe('a Node.js program that serves by itself', () => {
  it('takes upgraded connections, and one that was made before the first request', async () => {
    await using guest = await QemuGuest.boot({
      runtime: 'node',
      files: {
        'index.mjs': `
          import { createServer } from 'node:http'
          const server = createServer((request, response) => response.end('plain'))
          server.on('upgrade', (request, socket) => {
            socket.write('HTTP/1.1 101 Switching Protocols\\r\\nupgrade: echo\\r\\nconnection: upgrade\\r\\n\\r\\n')
            socket.pipe(socket)
          })
          let accepted = 0
          server.on('connection', (socket) => {
            accepted++
            setTimeout(() => socket.bytesRead === 0 && socket.destroy(), 2000)
          })
          server.prependListener('request', (request, response) => response.setHeader('accepted', accepted))
          server.listen(process.env.PORT)
        `,
      },
      configure: { entrypoint: 'index' },
    })
    expect((await guest.start()).verb, await guest.consoleText()).toBe('ready')

    await guest.channel.control('connect')
    expect((await guest.fetch('/')).headers.accepted, 'a connection made ahead is used').toBe('1')
    await guest.channel.control('connect')
    await sleep(4000)
    expect((await guest.fetch('/')).headers.accepted, 'one that the program closed is not').toBe('3')

    const stream = guest.channel.openStream('tcp:8080')
    stream.write('GET / HTTP/1.1\r\nhost: vm\r\nupgrade: echo\r\nconnection: upgrade\r\n\r\n')
    const [head] = await once(stream, 'data')
    expect(head.toString()).toContain('101')
    stream.write('there and back')
    expect((await once(stream, 'data'))[0].toString()).toBe('there and back')
    stream.destroy()
  })
})

describe('a program that needs its runtime started in another way', () => {
  it('is not given the one that waits', async () => {
    await using guest = await QemuGuest.boot({
      runtime: 'node',
      files: {
        'main.ts': 'export default () => new Response(process.title)',
      },
      prepare: true,
      configure: { entrypoint: 'main.ts', 'env.NODE_OPTIONS': '--title=its-own-process' },
    })
    expect((await guest.start()).verb, await guest.consoleText()).toBe('ready')
    expect((await guest.fetch('/')).body.toString()).toBe('its-own-process')
  })
})
