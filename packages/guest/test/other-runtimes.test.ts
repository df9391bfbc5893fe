import { randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { QemuGuest } from './qemu-guest.ts'

const application = `
import random

started = False
heard = []
random.seed(1)

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
    drawn = str(random.random()) if scope['path'] == '/draw' else ''
    headers = [[b'drawn', drawn.encode()], [b'heard', ','.join(heard).encode()]]
    await send({'type': 'http.response.start', 'status': 200 if started else 500, 'headers': headers})
    more = True
    while more:
        message = await receive()
        more = message.get('more_body', False)
        await send({'type': 'http.response.body', 'body': message.get('body', b''), 'more_body': True})
    await send({'type': 'http.response.body', 'body': scope['query_string']})
`

describe('a Python ASGI application', () => {
  it('starts with its lifespan, streams 2 MiB in and out, hears of messages, and is no copy after a reseed', async () => {
    await using guest = await QemuGuest.boot({
      runtime: 'python',
      files: { 'main.py': application },
      prepare: true,
      configure: { entrypoint: 'main:app' },
    })
    expect((await guest.start()).verb, await guest.consoleText()).toBe('ready')
    const sent = randomBytes(2 * 1024 * 1024)
    const { status, body } = await guest.fetch('/?a=b%26c', { method: 'POST', body: sent })
    expect(status).toBe(200)
    expect(body.equals(Buffer.concat([sent, Buffer.from('a=b%26c')]))).toBe(true)
    const message = { method: 'POST', headers: { 'aleph-event': 'message' }, body: Buffer.from('{}') }
    expect((await guest.fetch('/.well-known/aleph/message', message)).status).toBe(204)
    expect((await guest.fetch('/')).headers.heard).toBe('{}{}')
    const draw = async () => Number((await guest.fetch('/draw')).headers.drawn)
    const [first, second] = [0.13436424411240122, 0.8474337369372327]
    expect(await draw()).toBe(first)
    await guest.channel.control('reseed', { entropy: randomBytes(32).toString('hex') })
    expect(await draw()).not.toBe(second)
  })

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

describe('any other program', () => {
  it('serves when it listens on PORT, and powers off when asked', async () => {
    await using guest = await QemuGuest.boot({
      runtime: 'binary',
      files: {
        'site/index.html': 'a page',
        'run.sh': '#!/bin/sh\necho serving on $PORT\nexec httpd -f -p 127.0.0.1:$PORT -h /code/site\n',
      },
      prepare: true,
      configure: { entrypoint: 'run.sh' },
    })
    expect((await guest.start()).verb, await guest.consoleText()).toBe('ready')
    expect((await guest.fetch('/index.html')).body.toString()).toBe('a page')
    expect(await guest.consoleText()).toContain('serving on 8080\n')
    await guest.channel.control('halt')
    await guest.ended()
  })

  it('that crashes is reported with its exit code', async () => {
    await using guest = await QemuGuest.boot({
      runtime: 'binary',
      files: { 'run.sh': '#!/bin/sh\necho cannot go on >&2\nexit 3\n' },
      configure: { entrypoint: 'run.sh' },
    })
    const { verb, fields } = await guest.start()
    expect([verb, fields.code]).toEqual(['exited', '3'])
    expect(guest.channel.programState).toBe('exited')
    expect(await guest.consoleText()).toContain('cannot go on')
  })

  it('that never listens stays "starting" and is ended by halt, even if it ignores being asked', async () => {
    await using guest = await QemuGuest.boot({
      runtime: 'binary',
      files: { 'run.sh': "#!/bin/sh\ntrap '' TERM\nwhile true; do sleep 1; done\n" },
      configure: { entrypoint: 'run.sh' },
    })
    await guest.channel.control('start')
    expect(guest.channel.programState).toBe('starting')
    await guest.channel.control('halt', { grace: '1' })
    await guest.ended()
  })

  it('that does not exist is refused with the reason', async () => {
    await using guest = await QemuGuest.boot({
      runtime: 'binary',
      files: {},
      configure: { entrypoint: 'absent' },
    })
    await expect(guest.channel.control('start')).rejects.toMatchObject({
      code: 'control_refused',
      message: expect.stringContaining('/code/absent: No such file'),
    })
  })
})
