import { describe, expect, it } from 'vitest'
import { loadGuestImages } from '../src/index.ts'
import { cacheDir, QemuGuest } from './qemu-guest.ts'

/** Compiling takes minutes: once asked for, or done, these run. */
const isWanted =
  process.env.ALEPH_TEST_LEAN_KERNEL === '1' || (await loadGuestImages(cacheDir, 'lean')) !== null

const lean = { lean: true, prepare: true } as const

const serve = `export default async () => Response.json({ cpus: navigator.hardwareConcurrency })`

/** Tries, each by its name, what programs ask of a kernel; answers with what went wrong. */
const attempts = `
import ctypes, fcntl, json, mmap, multiprocessing, os, select, signal, socket, threading, time

libc = ctypes.CDLL(None, use_errno=True)

def check(result):
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result

def echo(family, address):
    listener = socket.socket(family)
    listener.bind(address)
    listener.listen()
    client = socket.create_connection(listener.getsockname()[:2]) if family != socket.AF_UNIX else socket.socket(family)
    if family == socket.AF_UNIX:
        client.connect(address)
    client.sendall(b'x')
    assert listener.accept()[0].recv(1) == b'x'

def fork():
    child = os.fork()
    if child == 0:
        os._exit(7)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7

def isolate(flag):
    child = os.fork()
    if child == 0:
        os._exit(0 if libc.unshare(0x10000000 | flag) == 0 else ctypes.get_errno())
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code == 0, os.strerror(code)

def exact():
    assert time.clock_getres(time.CLOCK_MONOTONIC) < 1e-6, 'timers are as coarse as ticks'

attempts = {
    'IPv4': lambda: echo(socket.AF_INET, ('127.0.0.1', 0)),
    'IPv6': lambda: echo(socket.AF_INET6, ('::1', 0)),
    'unix sockets': lambda: echo(socket.AF_UNIX, '/tmp/attempt.sock'),
    'abstract unix sockets': lambda: echo(socket.AF_UNIX, '\\0attempt'),
    'fork': fork,
    'threads': lambda: threading.Thread(target=exact).start(),
    'epoll': lambda: select.epoll().poll(0),
    'eventfd': lambda: check(libc.eventfd(0, 0)),
    'timerfd': lambda: check(libc.timerfd_create(1, 0)),
    'signalfd': lambda: check(libc.signalfd(-1, ctypes.byref((ctypes.c_ulong * 16)()), 0)),
    'inotify': lambda: check(libc.inotify_init1(0)),
    'memfd': lambda: os.memfd_create('attempt'),
    'interval timers': lambda: signal.setitimer(signal.ITIMER_REAL, 0),
    'asynchronous I/O': lambda: check(libc.syscall(206, 1, ctypes.byref(ctypes.c_ulong(0)))),
    'io_uring': lambda: check(libc.syscall(425, 4, ctypes.byref((ctypes.c_char * 120)()))),
    'shared memory': lambda: mmap.mmap(-1, 4096),
    'System V shared memory': lambda: check(libc.shmget(0, 4096, 0o600)),
    'semaphores': lambda: multiprocessing.Lock().acquire(),
    'message queues': lambda: check(ctypes.CDLL(None, use_errno=True).mq_open(b'/attempt', os.O_CREAT | os.O_RDWR, 0o600, None)),
    'file locks': lambda: fcntl.flock(open('/tmp/attempt.lock', 'w'), fcntl.LOCK_EX),
    'pseudo terminals': os.openpty,
    'seccomp': lambda: check(libc.prctl(21, 0, 0, 0, 0)),
    'user and mount namespaces': lambda: isolate(0x20000),
    'network namespaces': lambda: isolate(0x40000000),
    'process namespaces': lambda: isolate(0x20000000),
    'exact timers': exact,
    'random bytes': lambda: os.getrandom(32),
}

async def app(scope, receive, send):
    if scope['type'] != 'http':
        return
    failed = {}
    for name, attempt in attempts.items():
        try:
            attempt()
        except BaseException as error:
            failed[name] = repr(error)
    await send({'type': 'http.response.start', 'status': 200, 'headers': []})
    await send({'type': 'http.response.body', 'body': json.dumps(failed).encode()})
`

describe.skipIf(!isWanted)('a guest with the lean kernel', () => {
  it('runs a Node.js program on its one processor', async () => {
    await using guest = await QemuGuest.boot({
      ...lean,
      runtime: 'node',
      files: { 'main.js': serve },
      configure: { entrypoint: 'main.js' },
    })
    expect((await guest.start()).verb, await guest.consoleText()).toBe('ready')
    expect(JSON.parse(String((await guest.fetch('/')).body))).toEqual({ cpus: 1 })
  })

  it('gives a Python program what programs ask of a kernel', async () => {
    await using guest = await QemuGuest.boot({
      ...lean,
      runtime: 'python',
      files: { 'main.py': attempts },
      configure: { entrypoint: 'main:app' },
    })
    expect((await guest.start()).verb, await guest.consoleText()).toBe('ready')
    expect(JSON.parse(String((await guest.fetch('/')).body))).toEqual({})
  })

  it('runs a binary beside a volume in memory, and powers off when told', async () => {
    await using guest = await QemuGuest.boot({
      ...lean,
      runtime: 'binary',
      files: { 'run.sh': '#!/bin/sh\nexec httpd -f -p 127.0.0.1:8080 -h /data\n' },
      configure: { entrypoint: 'run.sh', 'mount.0': 'tmpfs:/data:tmpfs:1' },
    })
    expect((await guest.start()).verb, await guest.consoleText()).toBe('ready')
    expect((await guest.fetch('/')).status).toBe(404)
    await guest.channel.control('halt')
    await guest.ended()
  })
})
