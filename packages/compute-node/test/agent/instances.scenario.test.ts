import { execFile, execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { vmHostLabel } from '@aleph-ts/protocol'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ext4Image } from './disk-images.ts'
import { InstanceOwner } from './instance-owner.ts'
import { ownerHeaders } from './owner-headers.ts'
import { patientSsh } from './patient-ssh.ts'
import { RealNode } from './real-node.ts'
import { socketFolders, tracesOf } from './traces.ts'

let node: RealNode
let other: RealNode
let owner: InstanceOwner
let folder: string
let hash: string
let sshPort: number

beforeAll(async () => {
  owner = await InstanceOwner.create()
  folder = owner.folder
  sshPort = await freePort()
  node = await RealNode.start({ ALEPH_VM_SSH_PORT: String(sshPort), ...nodeCertificate() })
  const library = { ref: node.core.store(await ext4Image({ book: 'one page' }, 16)), use_latest: false }
  hash = owner.publish(node, {
    volumes: [
      { name: 'data', persistence: 'host', size_mib: 64, mount: '/srv/data' },
      { name: 'library', persistence: 'host', size_mib: 96, mount: '/srv/library', parent: library },
      { ephemeral: true, size_mib: 16, mount: '/srv/scratch' },
    ],
  })
}, 600_000)

afterAll(async () => {
  await other?.[Symbol.asyncDispose]()
  await node?.[Symbol.asyncDispose]()
  await owner?.[Symbol.asyncDispose]()
})

/** What the node ends TLS with where it takes ssh. */
function nodeCertificate() {
  const [certificate, key] = [join(folder, 'tls-certificate'), join(folder, 'tls-key')]
  const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '1']
  const files = ['-subj', '/CN=node', '-keyout', key, '-out', certificate]
  execFileSync('openssl', ['req', '-x509', ...kind, ...files], { stdio: 'ignore' })
  return { ALEPH_VM_SSH_CERTIFICATE: certificate, ALEPH_VM_SSH_KEY: key }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

const ssh = (command: string, at = node) => owner.ssh(at, hash, command)
const operate = (operation: string, at = node) => owner.operate(at, hash, operation)

test('an instance starts by the scheduler, takes its owner in by ssh, and has what was ordered', async () => {
  expect(await node.allocate({ instances: [hash] })).toMatchObject({ success: true, successful: [hash] })
  const execution = await node.execution(hash)
  expect(execution).toMatchObject({ running: true, vm_type: 'instance' })
  expect(await ssh('whoami')).toBe('root')
  expect(await ssh('hostname')).toMatch(/^[a-z2-7]{52}$/)
  expect(Number(await ssh("df -m / | awk 'END { print $2 }'"))).toBeGreaterThan(900)
  expect(await ssh("mount | grep -c 'on /srv/data type ext4 (rw'")).toBe('1')
})

test('its owner also gets in by its name, at the one port for all instances', async () => {
  const proxy = `openssl s_client -quiet -connect 127.0.0.1:${sshPort} -servername %h 2>/dev/null`
  const byName = async (args: string[]) => {
    const { stdout } = await promisify(execFile)('ssh', ['-o', `ProxyCommand=${proxy}`, ...args])
    return stdout
  }
  const host = `${vmHostLabel(hash)}.node.example`
  expect(await patientSsh({ folder, host, port: sshPort, command: 'whoami', run: byName })).toBe('root')
})

test('a volume with a parent begins as the published image, and is as large as ordered', async () => {
  expect(await ssh('cat /srv/library/book')).toBe('one page')
  expect(Number(await ssh("df -m /srv/library | awk 'END { print $2 }'"))).toBeGreaterThan(80)
})

test('it reaches neither its host nor the outside', async () => {
  expect(await ssh('nc -w 2 10.0.2.2 22 </dev/null && echo reached || echo closed')).toBe('closed')
  expect(await ssh('nc -w 2 1.1.1.1 53 </dev/null && echo reached || echo closed')).toBe('closed')
})

test('kill -9 of the node does not touch it; ports its owner asks for open while it runs', async () => {
  const boot = await ssh('cat /proc/sys/kernel/random/boot_id')
  await node.kill()
  await node.run()
  expect(await ssh('cat /proc/sys/kernel/random/boot_id')).toBe(boot)
  const ports = { '8080': { tcp: true, udp: false } }
  node.core.aggregates.set(`${node.core.owner.address}/port-forwarding`, { [hash]: { ports } })
  await fetch(`${node.url}/control/machine/${hash}/update`, { method: 'POST' })
  const forwarded = (await node.execution(hash))?.networking.mapped_ports?.['8080']
  expect(forwarded).toMatchObject({ tcp: true, udp: false })
  await ssh('mkdir -p /www && echo hello >/www/index.html && busybox httpd -p 8080 -h /www')
  expect(await (await fetch(`http://127.0.0.1:${forwarded?.host}/`)).text()).toBe('hello\n')
})

test('a reboot by its owner is an orderly one and keeps its data', async () => {
  const boot = await ssh(
    'echo kept | tee /root/note /srv/scratch/note >/srv/data/note && cat /proc/sys/kernel/random/boot_id',
  )
  expect(await operate('reboot')).toBe(`Rebooted VM with ref ${hash}`)
  expect(await ssh('cat /proc/sys/kernel/random/boot_id')).not.toBe(boot)
  expect(await ssh('cat /root/note /srv/data/note')).toBe('kept\nkept')
  expect(await ssh('ls /srv/scratch')).not.toContain('note')
})

test('a backup is a tar of disks that stand alone; restoring one brings back what was there', async () => {
  const path = `/control/machine/${hash}/backup`
  const ask = (method: string) =>
    fetch(`${node.url}${path}`, { method, headers: ownerHeaders(node.core.owner, path, method) })
  await ssh('echo before >/root/note && sync')
  expect((await ask('POST')).status).toBe(202)
  await expect.poll(async () => (await ask('GET')).status, { timeout: 30_000 }).toBe(200)
  const metadata = (await (await ask('GET')).json()) as { volumes: string[]; download_url: string }
  expect(metadata).toMatchObject({
    backup_id: expect.stringMatching(new RegExp(`^${hash}-\\d{8}T\\d{6}Z$`)),
    volumes: ['rootfs.qcow2'],
    checksum: expect.stringMatching(/^sha256:[0-9a-f]{64}$/),
  })
  const link = new URL(metadata.download_url)
  const download = await fetch(`${node.url}${link.pathname}${link.search}`)
  expect(download.headers.get('content-type')).toBe('application/x-tar')
  await writeFile(join(folder, 'backup.tar'), Buffer.from(await download.arrayBuffer()))
  expect((await fetch(`${node.url}${link.pathname}?signature=00&expires=9999999999`)).status).toBe(403)
  execFileSync('tar', ['-xf', join(folder, 'backup.tar'), '-C', folder])
  await ssh('echo after >/root/note && sync')

  const restore = `/control/machine/${hash}/restore`
  const form = new FormData()
  form.set('rootfs', new Blob([await readFile(join(folder, 'rootfs.qcow2'))]), 'rootfs.qcow2')
  const headers = ownerHeaders(node.core.owner, restore, 'POST')
  const restored = await fetch(`${node.url}${restore}`, { method: 'POST', headers, body: form })
  expect(await restored.json()).toEqual({ status: 'restored', vm_hash: hash })
  expect(await ssh('cat /root/note')).toBe('before')
})

test('it moves to another node with its disks, and nothing of it stays behind', async () => {
  other = await RealNode.start({ ALEPH_VM_MIGRATE_FROM_PRIVATE: '1' }, node.core)
  await ssh('echo moved >/root/note && echo moved >/srv/data/note && sync')
  const path = `/control/machine/${hash}/migration`
  const unsigned = await fetch(`${node.url}${path}/export`, { method: 'POST', body: '' })
  expect(unsigned.status).toBe(401)
  expect((await node.asScheduler('POST', `${path}/export`)).status).toBe(202)
  const exported = async () => (await node.asScheduler('GET', `${path}/export/status`)).json()
  await expect.poll(exported, { timeout: 60_000, interval: 500 }).toMatchObject({ state: 'exported' })
  const { export_token, disk_files } = (await exported()) as { export_token: string; disk_files: object[] }
  expect(disk_files).toMatchObject([
    { name: 'data.ext4.qcow2' },
    { name: 'library.ext4.qcow2' },
    { name: 'rootfs.qcow2' },
  ])
  // Whoever still has it in a plan does not bring it back here meanwhile.
  const again = await node.allocate({ instances: [hash] })
  expect(again.errors[hash]).toContain('moved to another node')

  const { hostname, port } = new URL(node.url)
  const source = { vm_hash: hash, source_host: hostname, source_port: Number(port), export_token, disk_files }
  expect((await other.asScheduler('POST', '/control/migrate', source)).status).toBe(202)
  const imported = async () => (await other.asScheduler('GET', `/control/migrate/${hash}/status`)).json()
  await expect.poll(imported, { timeout: 60_000, interval: 500 }).toMatchObject({ state: 'imported' })
  expect(await other.allocate({ instances: [hash] })).toMatchObject({ success: true })
  expect(await ssh('cat /root/note /srv/data/note', other)).toBe('moved\nmoved')

  expect(await (await node.asScheduler('POST', `${path}/cleanup`)).json()).toEqual({
    status: 'completed',
    vm_hash: hash,
  })
  await node.allocate({})
  await expectNothingLeft(node)
})

test('erase leaves nothing', async () => {
  expect(await operate('erase', other)).toBe(`Erased VM with ref ${hash}`)
  await expectNothingLeft(other)
})

async function expectNothingLeft(at: RealNode): Promise<void> {
  expect(await at.execution(hash)).toBeUndefined()
  expect(await tracesOf(at.dataDir, hash)).toEqual([])
  expect(await socketFolders(at.dataDir)).toEqual([])
}
