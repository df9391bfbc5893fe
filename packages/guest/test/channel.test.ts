import { once } from 'node:events'
import { setImmediate as turn } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { decodeVerb, encodeFrame, frameType, initialWindowBytes } from '../src/channel/frames.ts'
import { GuestChannel } from '../src/index.ts'
import { FakeGuest } from './fake-guest.ts'

let guest: FakeGuest
let open: GuestChannel[]

beforeEach(async () => {
  guest = await FakeGuest.create()
  open = []
})

afterEach(async () => {
  for (const channel of open) await channel.close()
  await guest[Symbol.asyncDispose]()
})

async function connect(options = {}): Promise<GuestChannel> {
  const channel = await GuestChannel.connect(guest.socketPath, { timeoutMs: 30_000, ...options })
  open.push(channel)
  return channel
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await turn()
}

function credit(bytes: number): Buffer {
  const payload = Buffer.alloc(4)
  payload.writeUInt32BE(bytes)
  return payload
}

describe('opening the channel', () => {
  it('tells the version of the guest and what its program is doing', async () => {
    const channel = await connect()
    expect(channel.guestVersion).toBe('3.0')
    expect(channel.programState).toBe('ready')
  })

  it('finds the answer behind half a frame meant for an earlier host', async () => {
    guest.leftovers = encodeFrame(frameType.data, 7, Buffer.alloc(500, 0xff)).subarray(0, 300)
    const channel = await connect()
    expect(channel.guestVersion).toBe('3.0')
  })

  it('gives up on a guest that stays silent', async () => {
    guest.answersHello = false
    await expect(connect({ timeoutMs: 50 })).rejects.toMatchObject({ code: 'channel_timeout' })
  })

  it('gives up when no socket appears', async () => {
    const promise = GuestChannel.connect(`${guest.socketPath}.absent`, { timeoutMs: 30 })
    await expect(promise).rejects.toMatchObject({ code: 'channel_timeout' })
  })

  it('hands out events that came together with the answer', async () => {
    guest.onFrame = () => {}
    const connecting = connect()
    const channel = await connecting
    guest.event('exited', { code: '3' })
    const [verb, fields] = await once(channel, 'event')
    expect([verb, { ...fields }]).toEqual(['exited', { code: '3' }])
    expect(channel.programState).toBe('exited')
  })
})

describe('control verbs', () => {
  it('resolve when the guest did them, with every value of a repeated field', async () => {
    const channel = await connect()
    guest.onFrame = ({ payload }) => {
      expect(payload.toString().split('\0')).toEqual([
        'configure',
        'id',
        '1',
        'cmd',
        'a',
        'cmd',
        'b',
        'cwd',
        '/x',
      ])
      guest.event('ack', { verb: 'configure', id: '1' })
    }
    await channel.control('configure', { cmd: ['a', 'b'], cwd: '/x' })
  })

  it('fail with the reason that the guest gives', async () => {
    const channel = await connect()
    guest.onFrame = ({ payload }) => {
      const { verb, fields } = decodeVerb(payload)
      guest.event('failed', { verb, id: fields.id!, reason: 'no such disk' })
    }
    await expect(channel.control('start')).rejects.toMatchObject({
      code: 'control_refused',
      message: 'no such disk',
    })
  })

  it('are refused before sending when a field cannot travel', async () => {
    const channel = await connect()
    await expect(channel.control('configure', { a: 'x\0y' })).rejects.toMatchObject({
      code: 'control_invalid',
    })
    const big = 'x'.repeat(70_000)
    await expect(channel.control('configure', { a: big })).rejects.toMatchObject({ code: 'control_invalid' })
  })

  it('fail when the guest does not answer or goes away', async () => {
    const channel = await connect({ controlTimeoutMs: 30 })
    await expect(channel.control('start')).rejects.toMatchObject({ code: 'channel_timeout' })
    const pending = channel.control('start')
    const closed = once(channel, 'close')
    await channel.close()
    await expect(pending).rejects.toMatchObject({ code: 'channel_closed' })
    expect(await closed).toEqual([null])
  })
})

describe('streams', () => {
  it('send no more than the guest gave credit for', async () => {
    const channel = await connect()
    const stream = channel.openStream('tcp:8080')
    stream.write(Buffer.alloc(initialWindowBytes + 1000))
    await until(() => guest.dataBytes === initialWindowBytes)
    for (let i = 0; i < 20; i++) await turn()
    expect(guest.dataBytes).toBe(initialWindowBytes)
    guest.send(frameType.window, 1, credit(400))
    await until(() => guest.dataBytes === initialWindowBytes + 400)
    guest.send(frameType.window, 1, credit(600))
    await until(() => guest.dataBytes === initialWindowBytes + 1000)
    stream.destroy()
  })

  it('give credit back only for what was read', async () => {
    const channel = await connect()
    const stream = channel.openStream('tcp:8080')
    await until(() => guest.frames.length === 1)
    for (let i = 0; i < 4; i++) guest.send(frameType.data, 1, Buffer.alloc(65_536))
    await until(() => stream.readableLength >= 4 * 65_536)
    expect(guest.frames.filter((frame) => frame.type === frameType.window)).toHaveLength(0)
    stream.resume()
    await until(() => guest.frames.some((frame) => frame.type === frameType.window))
    stream.destroy()
  })

  it('end one direction and go on in the other', async () => {
    const channel = await connect()
    const stream = channel.openStream('tcp:8080')
    stream.end('request')
    await until(() => guest.frames.some((frame) => frame.type === frameType.end))
    guest.send(frameType.data, 1, Buffer.from('answer'))
    guest.send(frameType.end, 1)
    expect((await stream.toArray()).join('')).toBe('answer')
    expect(guest.frames.some((frame) => frame.type === frameType.reset)).toBe(false)
  })

  it('reset the guest when they are destroyed, and fail when the guest resets', async () => {
    const channel = await connect()
    const first = channel.openStream('tcp:8080')
    first.destroy()
    await until(() => guest.frames.some((frame) => frame.type === frameType.reset && frame.stream === 1))
    const second = channel.openStream('tcp:9')
    guest.send(frameType.reset, 3, Buffer.from('Connection refused'))
    const [error] = await once(second, 'error')
    expect(error).toMatchObject({
      code: 'stream_reset',
      message: expect.stringContaining('Connection refused'),
    })
  })

  it('of the guest reach the handler, and are reset without one', async () => {
    const channel = await connect()
    guest.send(frameType.open, 2, Buffer.from('egress'))
    await until(() => guest.frames.some((frame) => frame.type === frameType.reset && frame.stream === 2))
    const seen: string[] = []
    channel.onStream((destination, stream) => {
      seen.push(destination)
      stream.end('hello')
    })
    guest.send(frameType.open, 4, Buffer.from('egress'))
    await until(() => guest.frames.some((frame) => frame.type === frameType.end && frame.stream === 4))
    expect(seen).toEqual(['egress'])
  })

  it('are limited in number', async () => {
    const channel = await connect({ maxStreams: 2 })
    channel.openStream('tcp:8080')
    channel.openStream('tcp:8080')
    expect(() => channel.openStream('tcp:8080')).toThrow(expect.objectContaining({ code: 'stream_limit' }))
  })

  it('all fail when the guest goes away', async () => {
    const channel = await connect()
    const stream = channel.openStream('tcp:8080')
    const failed = once(stream, 'error')
    await channel.close()
    expect((await failed)[0]).toMatchObject({ code: 'channel_closed' })
    expect(() => channel.openStream('tcp:8080')).toThrow(expect.objectContaining({ code: 'channel_closed' }))
  })
})

describe('a guest that breaks the rules', () => {
  it.each([
    ['a frame that is too long', Buffer.from([frameType.data, 0, 0, 0, 1, 0xff, 0, 0, 0])],
    ['an unknown frame', encodeFrame(0x77, 0)],
    ['a stream id of the host', encodeFrame(frameType.open, 9, Buffer.from('egress'))],
  ])('loses the channel: %s', async (_, bytes) => {
    const channel = await connect()
    const closed = once(channel, 'close')
    guest.sendRaw(bytes)
    expect((await closed)[0]).toMatchObject({ code: 'channel_protocol' })
  })

  it('loses the channel: more data than its window', async () => {
    const channel = await connect()
    channel.openStream('tcp:8080')
    const closed = once(channel, 'close')
    for (let i = 0; i < 5; i++) guest.send(frameType.data, 1, Buffer.alloc(65_536))
    expect((await closed)[0]).toMatchObject({ code: 'channel_protocol' })
  })

  it('loses the channel: it asks without end and reads no answer', async () => {
    const channel = await connect()
    const closed = once(channel, 'close')
    guest.stopReading()
    while (!channel.closed) {
      for (let count = 0; count < 1000; count++) guest.send(frameType.open, 2, Buffer.from('egress'))
      await turn()
    }
    expect((await closed)[0]).toMatchObject({ code: 'channel_protocol' })
  })
})
