import { describe, expect, it } from 'vitest'
import { QemuGuest } from './qemu-guest.ts'

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
