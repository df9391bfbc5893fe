import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { buildGuestImages, type GuestImages } from '@aleph-ts/guest'
import { pino } from 'pino'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { FirecrackerHypervisor } from '../../src/hypervisor/firecracker/firecracker-hypervisor.ts'
import { imagesDir } from '../../src/testing/warm-seed.ts'

const vsockProgram = [
  ...(process.env.PATH ?? '').split(delimiter),
  join(process.env.HOME ?? '', '.cargo/bin'),
]
  .map((path) => join(path, 'vhost-device-vsock'))
  .find(existsSync)

describe.skipIf(vsockProgram === undefined)('a real guest in a machine made as Firecracker’s are', () => {
  let directory: string
  let images: GuestImages
  let hypervisor: FirecrackerHypervisor

  beforeAll(async () => {
    images = await buildGuestImages({ cacheDir: imagesDir() })
    directory = mkdtempSync(join(tmpdir(), 'aleph-firecracker-'))
    const shim = join(import.meta.dirname, 'firecracker-by-qemu.ts')
    const binary = join(directory, 'firecracker')
    const run = `VSOCK_PROGRAM=${vsockProgram} exec ${process.execPath} ${shim} "$@"`
    writeFileSync(binary, `#!/bin/sh\n${run}\n`)
    chmodSync(binary, 0o755)
    const program = '#!/bin/sh\nexec httpd -f -p 8080 -h /state\n'
    writeFileSync(join(directory, 'main'), program, { mode: 0o755 })
    execFileSync('mksquashfs', [join(directory, 'main'), join(directory, 'code'), '-quiet', '-no-progress'])
    execFileSync('/usr/sbin/mke2fs', [
      '-q',
      '-t',
      'ext4',
      '-E',
      'root_owner=1000:1000',
      join(directory, 'state'),
      '16M',
    ])
    hypervisor = new FirecrackerHypervisor({
      dataDir: directory,
      images,
      cgroups: null,
      users: { userFor: () => null, memoryGroup: null },
      binary,
      jailer: null,
      log: pino({ level: 'silent' }),
    })
  })
  afterAll(async () => {
    await hypervisor?.sweep([])
    rmSync(directory, { recursive: true, force: true })
  })

  test('finds its disks, is reached over vsock, serves, and ends the machine when it is told to halt', async () => {
    let printed = ''
    const machine = await hypervisor.launch({
      id: 'vm',
      shape: {
        vcpus: 1,
        memoryMiB: 256,
        disks: [
          { serial: 'runtime', path: images.runtimes.binary.path },
          { serial: 'code', path: join(directory, 'code') },
          { serial: 'volume0', path: join(directory, 'state'), writable: true },
        ],
      },
      start: { kind: 'cold' },
      onConsole: (chunk) => {
        printed += Buffer.from(chunk).toString()
      },
      timeoutMs: 20_000,
    })
    const link = await machine.connect(50_000)
    await link.control('configure', {
      hostname: 'in-firecracker',
      cmd: '/code/main',
      'mount.0': 'volume0:/state:ext4:rw',
    })
    const ready = once(link as unknown as NodeJS.EventEmitter, 'event')
    await link.control('start')
    expect((await ready)[0], printed).toBe('ready')
    const stream = link.openStream('tcp:8080')
    stream.end('GET /missing HTTP/1.0\r\n\r\n')
    expect(Buffer.concat(await stream.toArray()).toString()).toContain('404')
    await link.control('halt', { grace: '0' }).catch(() => {})
    expect(await machine.exited).toMatchObject({ expected: false })
  })
})
