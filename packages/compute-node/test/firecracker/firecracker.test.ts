import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { FirecrackerHypervisor } from '../../src/hypervisor/firecracker/firecracker-hypervisor.ts'
import type { LaunchRequest, Machine } from '../../src/hypervisor/hypervisor.ts'

const stub = join(import.meta.dirname, 'firecracker-stub.ts')
let directory: string
let printed = ''

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'aleph-firecracker-'))
  const binary = join(directory, 'firecracker')
  writeFileSync(binary, `#!/bin/sh\nexec ${process.execPath} ${stub} "$@"\n`)
  chmodSync(binary, 0o755)
  for (const name of ['kernel', 'initrd', 'runtime', 'data']) writeFileSync(join(directory, name), name)
})
afterEach(async () => {
  await hypervisor().sweep([])
  printed = ''
})
afterAll(() => rmSync(directory, { recursive: true, force: true }))

/** Each is like one of a node that was started anew. */
function hypervisor(): FirecrackerHypervisor {
  return new FirecrackerHypervisor({
    dataDir: directory,
    images: {
      kernel: join(directory, 'kernel'),
      initrd: join(directory, 'initrd'),
      kernelCommandLine: 'console=ttyS0',
      key: 'images',
    },
    cgroups: null,
    users: { userFor: () => null, memoryGroup: null },
    binary: join(directory, 'firecracker'),
    jailer: null,
    probeTimeoutMs: 1000,
    log: pino({ level: 'silent' }),
  })
}

function request(changes: Partial<LaunchRequest> = {}): LaunchRequest {
  return {
    id: 'vm',
    shape: {
      vcpus: 2,
      memoryMiB: 256,
      disks: [
        { serial: 'runtime', path: join(directory, 'runtime') },
        { serial: 'data', path: join(directory, 'data'), writable: true },
      ],
    },
    start: { kind: 'cold' },
    onConsole: (chunk) => {
      printed += Buffer.from(chunk).toString()
    },
    timeoutMs: 20_000,
    ...changes,
  }
}

function callsOf(machine: Machine): { name?: string; body?: unknown; vsock?: string }[] {
  const folder = join(directory, 'jailer/firecracker', machine.record.launchId, 'root')
  const lines = readFileSync(join(folder, 'calls.jsonl'), 'utf8').trim().split('\n')
  return lines.map((line) => JSON.parse(line))
}

describe('a machine of Firecracker', () => {
  test('is made by its API in the order it asks for, and prints on its console', async () => {
    const machine = await hypervisor().launch(request())
    expect(callsOf(machine)).toEqual([
      {
        name: 'PUT /boot-source',
        body: {
          kernel_image_path: 'kernel',
          initrd_path: 'initrd',
          boot_args: 'console=ttyS0 reboot=k panic=1 pci=off aleph.disks=runtime,data',
        },
      },
      { name: 'PUT /machine-config', body: { vcpu_count: 2, mem_size_mib: 256, smt: false } },
      {
        name: 'PUT /drives',
        body: {
          drive_id: 'runtime',
          path_on_host: 'disk-runtime',
          is_root_device: false,
          is_read_only: true,
        },
      },
      {
        name: 'PUT /drives',
        body: { drive_id: 'data', path_on_host: 'disk-data', is_root_device: false, is_read_only: false },
      },
      { name: 'PUT /vsock', body: { guest_cid: 3, uds_path: 'v.sock' } },
      { name: 'PUT /actions', body: { action_type: 'InstanceStart' } },
    ])
    await expect.poll(() => printed).toContain('Linux version')
    await machine.kill()
    expect(await machine.exited).toMatchObject({ expected: true })
    expect(readdirSync(join(directory, 'jailer/firecracker'))).toEqual([])
  })

  test('is reached at the port of its vsock where its agent listens', async () => {
    const machine = await hypervisor().launch(request())
    await expect(machine.connect(300)).rejects.toMatchObject({ code: 'channel_timeout' })
    expect(callsOf(machine)).toContainEqual({ vsock: 'CONNECT 52' })
    await machine.kill()
  })

  test('leaves a snapshot of which others begin', async () => {
    const [memory, state] = [join(directory, 'template.memory'), join(directory, 'template.state')]
    const first = await hypervisor().launch(request({ start: { kind: 'cold', memory } }))
    await first.snapshot(state)
    await first.kill()
    expect(readFileSync(memory, 'utf8')).toBe('memory')

    const clone = await hypervisor().launch(
      request({ start: { kind: 'restore', snapshot: { memory, state } } }),
    )
    const load = {
      snapshot_path: 'state',
      mem_backend: { backend_type: 'File', backend_path: 'memory' },
      resume_vm: true,
    }
    expect(callsOf(clone)).toEqual([{ name: 'PUT /snapshot/load', body: load }])
    await expect.poll(() => printed).toContain('restored')
    await clone.pause()
    await clone.resume()
    await clone.kill()
  })

  test('runs on without its node, which finds it again', async () => {
    const machine = await hypervisor().launch(request())
    machine.detach()
    const found = await hypervisor().adopt(machine.record, () => {})
    expect(found?.record).toEqual(machine.record)
    await found?.powerDown()
    expect(await found?.exited).toMatchObject({ expected: false })
    expect(await hypervisor().adopt(machine.record, () => {})).toBeNull()
  })

  test('ends when no node knows it any more', async () => {
    const machine = await hypervisor().launch(request())
    expect(await hypervisor().sweep([machine.record])).toBe(0)
    expect(await hypervisor().sweep([])).toBe(1)
    expect(existsSync(join(directory, 'jailer/firecracker', machine.record.launchId))).toBe(false)
  })

  test('is refused with the reason, and leaves nothing', async () => {
    const missing = { serial: 'gone', path: join(directory, 'no-such-disk') }
    const shape = { ...request().shape, disks: [missing] }
    await expect(hypervisor().launch(request({ shape }))).rejects.toThrow(
      /PUT \/drives\/gone: .*no such file/s,
    )
    await expect(
      hypervisor().launch(request({ shape: { ...shape, disks: [], boots: 'disk' } })),
    ).rejects.toThrow(/boot from their disk/)
    await expect(hypervisor().launch(request({ shape: { ...shape, disks: [], vcpus: 3 } }))).rejects.toThrow(
      /1 or an even number/,
    )
    expect(readdirSync(join(directory, 'jailer/firecracker'))).toEqual([])
  })
})

test('a probe that no guest answers says so', async () => {
  await expect(hypervisor().probe()).rejects.toMatchObject({ code: 'channel_timeout' })
})
