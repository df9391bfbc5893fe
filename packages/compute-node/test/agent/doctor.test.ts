import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { buildGuestImages } from '@aleph-ts/guest'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { FakeCoreNode } from '../../src/testing/fake-core-node.ts'
import { imagesDir, warmUp } from '../../src/testing/warm-seed.ts'

const run = promisify(execFile)
let core: FakeCoreNode
let dataDir: string

beforeAll(async () => {
  const images = await buildGuestImages({ cacheDir: imagesDir() })
  core = await FakeCoreNode.start()
  dataDir = await mkdtemp(join(tmpdir(), 'aleph-doctor-'))
  await warmUp(join(dataDir, 'supervisor'), images)
}, 600_000)

afterAll(async () => {
  await core?.[Symbol.asyncDispose]()
  if (dataDir) await rm(dataDir, { recursive: true, force: true })
})

async function doctor(environment: Record<string, string> = {}) {
  const main = join(import.meta.dirname, '../../src/main.ts')
  const env = {
    PATH: process.env.PATH,
    ALEPH_VM_DATA_DIR: dataDir,
    ALEPH_VM_API_SERVERS: core.url,
    ALEPH_VM_SUPERVISOR_PORT: '0',
    ALEPH_VM_GUEST_IMAGES_DIR: imagesDir(),
    ...environment,
  }
  const command = [main, 'doctor', '--json']
  const { stdout, code } = await run(process.execPath, command, { env }).then(
    (done) => ({ ...done, code: 0 }),
    (error: { stdout: string; code: number }) => error,
  )
  const report = JSON.parse(stdout) as {
    ok: boolean
    findings: { check: string; status: string; message: string }[]
  }
  return {
    code,
    ok: report.ok,
    find: (check: string) => report.findings.find((finding) => finding.check === check),
  }
}

test('where a node would run, the doctor says so, and what runs its guests', async () => {
  const { code, ok, find } = await doctor()
  expect([code, ok]).toEqual([0, true])
  expect(find('hypervisor')?.message).toMatch(/a guest booted in \d+ ms under (kvm|tcg)/)
  expect(find(`core node ${core.url}`)?.status).toBe('ok')
})

test('where guests are emulated, the doctor says what starts them faster', async () => {
  const { find } = await doctor({ ALEPH_VM_GUEST_KERNEL: 'debian' })
  const isEmulated = find('hypervisor')?.message.includes('under tcg')
  expect(find('guest kernel')?.message.includes('ALEPH_VM_GUEST_KERNEL=lean') ?? false).toBe(isEmulated)
})

test('a lean kernel that was never compiled is missed', async () => {
  const { find } = await doctor({
    ALEPH_VM_GUEST_KERNEL: 'lean',
    ALEPH_VM_GUEST_IMAGES_DIR: join(dataDir, 'none'),
  })
  expect(find('guest images')).toMatchObject({
    status: 'fail',
    message: expect.stringContaining('none with a lean kernel'),
  })
})

test('what is offered and not there is named', async () => {
  const { ok, find } = await doctor({
    ALEPH_VM_ENABLE_GPU_SUPPORT: '1',
    ALEPH_VM_ENABLE_CONFIDENTIAL_COMPUTING: '1',
    ALEPH_VM_PROFILE: 'mainnet',
    ALEPH_VM_PAYMENT_RECEIVER_ADDRESS: '0x1111111111111111111111111111111111111111',
  })
  expect(ok).toBe(true)
  expect(find('GPUs')?.message).toContain('vfio-pci')
  expect(find('confidential VMs')?.message).toContain('no SEV')
  expect(find('payment streams')?.message).toContain('ALEPH_VM_EVM_RPC_AVAX')
})

test('what keeps a node from running is named with the setting that mends it', async () => {
  await mkdir(join(dataDir, 'state'), { recursive: true })
  await writeFile(join(dataDir, 'state/node-key'), 'ab'.repeat(32), { mode: 0o644 })
  const { code, ok, find } = await doctor({
    ALEPH_VM_API_SERVERS: 'http://127.0.0.1:1',
    ALEPH_VM_SUPERVISOR_PORT: new URL(core.url).port,
    ALEPH_VM_FORWARD_HOST: '192.0.2.1',
    ALEPH_VM_CGROUP: '/sys/fs/nothing',
    ALEPH_VM_NETWORK: 'tap',
    ALEPH_VM_NETWORK_INTERFACE: 'nosuch0',
    ALEPH_VM_GUEST_IMAGES_DIR: join(dataDir, 'none'),
  })
  expect([code, ok]).toEqual([1, false])
  for (const [check, words] of [
    ['core node http://127.0.0.1:1', 'ALEPH_VM_API_SERVERS'],
    ['port', 'ALEPH_VM_SUPERVISOR_PORT'],
    ['forwarded ports', '192.0.2.1 is no address of this host'],
    ['cgroup', 'ALEPH_VM_CGROUP'],
    ['instance network', 'nosuch0'],
    ['guest images', 'ALEPH_VM_GUEST_IMAGES_DIR'],
    ['key', 'chmod 600'],
  ] as const) {
    expect(find(check), check).toMatchObject({ status: 'fail', message: expect.stringContaining(words) })
  }
})

test('settings that cannot be read are named', async () => {
  const { code, find } = await doctor({ ALEPH_VM_SUPERVISOR_PORT: 'many' })
  expect(code).toBe(1)
  expect(find('settings')?.message).toContain('ALEPH_VM_SUPERVISOR_PORT')
})
