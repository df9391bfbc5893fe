import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { GuestChannel } from '../src/index.ts'
import { QemuGuest, vsockProgram } from './qemu-guest.ts'

const program = `
export default async function (request: Request): Promise<Response> {
  const { pathname } = new URL(request.url)
  if (pathname === '/echo') return new Response(request.body)
  if (pathname !== '/ticks') return new Response('here')
  const body = new ReadableStream({
    async pull(controller) {
      await new Promise((go) => setTimeout(go, 5))
      controller.enqueue(new TextEncoder().encode('tick\\n'))
    },
  })
  return new Response(body)
}
`

describe.skipIf(vsockProgram === undefined)('a guest of a machine with a vsock', () => {
  let guest: QemuGuest

  beforeAll(async () => {
    guest = await QemuGuest.boot({
      runtime: 'node',
      files: { 'main.ts': program },
      prepare: true,
      configure: { cmd: ['/usr/bin/node', '/aleph/serve.mjs', 'main.ts'] },
      vsock: true,
    })
    expect((await guest.start()).verb, await guest.consoleText()).toBe('ready')
  })
  afterAll(() => guest?.[Symbol.asyncDispose]())

  it('has its channel there, and finds its disks by the order of their slots', async () => {
    const { status, body } = await guest.fetch('/')
    expect([status, body.toString()]).toEqual([200, 'here'])
  })

  it('streams 2 MiB in and out again', async () => {
    const sent = randomBytes(2 * 1024 * 1024)
    const { body } = await guest.fetch('/echo', { method: 'POST', body: sent })
    expect(body.equals(sent)).toBe(true)
  })

  it('serves many requests at once', async () => {
    const answers = await Promise.all(Array.from({ length: 32 }, () => guest.fetch('/')))
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200))
  })

  it('keeps running when the host leaves and comes back, and when another takes its place', async () => {
    const orphan = guest.channel.openStream('tcp:8080')
    orphan.write('GET /ticks HTTP/1.1\r\nhost: vm\r\n\r\n')
    await once(orphan, 'data')
    await guest.channel.close()
    const options = { vsockPort: 52, timeoutMs: 10_000 }
    const again = await GuestChannel.connect(guest.socketPath, options)
    const replaced = once(again, 'close')
    await using last = await GuestChannel.connect(guest.socketPath, options)
    await replaced
    expect(last.programState).toBe('ready')
    const stream = last.openStream('tcp:8080')
    stream.end('GET / HTTP/1.1\r\nhost: vm\r\nconnection: close\r\n\r\n')
    expect((await stream.toArray()).join('')).toContain('200 OK')
    await last.control('halt')
    await guest.ended()
  })
})
