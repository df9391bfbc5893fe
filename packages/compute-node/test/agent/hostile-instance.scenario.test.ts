import { type ChildProcess, spawn } from 'node:child_process'
import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { readdir, readFile, stat } from 'node:fs/promises'
import { type AddressInfo, createServer, type Server } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { writeZip } from '../../src/testing/zip-writer.ts'
import { harmfulSource, knockingSource } from './harmful-program.ts'
import { InstanceOwner } from './instance-owner.ts'
import { RealNode } from './real-node.ts'
import { tracesOf } from './traces.ts'

const mib = 1024 * 1024
const diskMiB = 600

let node: RealNode
let owner: InstanceOwner
let bad: string
let neighbour: string
let program: string
let service: HostService

/** Listens on one port of the host, by TCP and UDP, IPv4 and IPv6, and writes down who came. */
class HostService implements AsyncDisposable {
  readonly visitors: string[] = []
  readonly #server: Server
  readonly #sockets: Socket[] = []

  private constructor() {
    this.#server = createServer((socket) => {
      this.visitors.push(`tcp ${socket.remoteAddress}`)
      socket.on('error', () => {})
      socket.end('a secret of the host')
    })
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  static async start(): Promise<HostService> {
    const self = new HostService()
    await once(self.#server.listen(0, '::'), 'listening')
    for (const socket of [createSocket('udp4'), createSocket({ type: 'udp6', ipv6Only: true })]) {
      socket.on('message', (_, { address }) => self.visitors.push(`udp ${address}`))
      await once(socket.bind(self.port), 'listening')
      self.#sockets.push(socket)
    }
    return self
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close()
    for (const socket of this.#sockets) socket.close()
  }
}

beforeAll(async () => {
  owner = await InstanceOwner.create()
  service = await HostService.start()
  node = await RealNode.start()
  const changes = { rootfs: { ...owner.rootfs(node), size_mib: diskMiB } }
  ;[bad, neighbour] = [owner.publish(node, changes), owner.publish(node)] as [string, string]
  program = node.core.program({
    runtime: node.core.store(await readFile(node.images.runtimes.binary.path)),
    code: node.core.store(writeZip([{ name: 'run.sh', content: harmfulSource }])),
    entrypoint: 'run.sh',
    seconds: 20,
    extra: { resources: { vcpus: 1, memory: 256, seconds: 20 } },
  })
  expect(await node.allocate({ instances: [bad, neighbour] })).toMatchObject({ success: true })
  for (const hash of [bad, neighbour]) await owner.ssh(node, hash, 'true')
  await expectOthersServed()
}, 600_000)

afterAll(async () => {
  await service?.[Symbol.asyncDispose]()
  await node?.[Symbol.asyncDispose]()
  await owner?.[Symbol.asyncDispose]()
})

const harm = (command: string) => owner.ssh(node, bad, command)

/** The node, a program and another instance do what they are asked for. */
async function expectOthersServed(): Promise<void> {
  for (let count = 0; count < 3; count++) {
    expect(await (await node.call(program)).text()).toBe('hello')
    expect(await owner.ssh(node, neighbour, 'echo here')).toBe('here')
    expect((await node.execution(bad))?.running).toBe(true)
  }
}

test('it reaches its host by no address that leads there in QEMU’s network, and hears no name', async () => {
  // As the node sees itself, as QEMU shows it to its guest, and in disguise.
  const places = ['10.0.2.2', '10.0.2.3', '10.0.2.4', 'fec0::2', 'fec0::3', 'fe80::2%eth0', '::ffff:10.0.2.2']
  const outside = ['169.254.169.254', '10.0.0.1', '192.168.0.1', 'fd00::1', '64:ff9b::a00:1', '1.1.1.1']
  const talk = `exec 3<>/dev/$0/$1/${service.port} && echo knock >&3 && timeout 2 head -c 8 <&3`
  const each = (protocol: string) => `timeout 4 bash -c '${talk}' ${protocol} $place 2>&1 &`
  const heard = await harm(
    `for place in ${[...places, ...outside].join(' ')}; do ${each('tcp')} ${each('udp')} done; wait`,
  )
  expect(heard).not.toContain('a secret')
  for (const server of ['10.0.2.3', 'fec0::3']) {
    expect(await harm(`timeout 4 nslookup localhost ${server} 2>&1; true`), server).not.toMatch(
      /127\.0\.0\.1|::1$/m,
    )
  }
  expect(service.visitors).toEqual([])
})

test('it fills its disk, which is as large as was ordered, and no larger', async () => {
  expect(await harm('dd if=/dev/zero of=/fill bs=1M 2>&1; true')).toContain('No space left on device')
  await expectOthersServed()
  const { blocks } = await stat(join(node.dataDir, 'volumes', bad, 'rootfs.qcow2'))
  expect(blocks * 512).toBeLessThan((diskMiB + 8) * mib)
  await harm('rm /fill && sync')
})

test('it floods its network, and a client that does not read: others are served', async () => {
  await harm('(until [ -e /calm ]; do echo flood >/dev/udp/10.0.2.2/9; done) >/dev/null 2>&1 </dev/null &')
  const reader = await deafReader()
  await expectOthersServed()
  reader.kill('SIGKILL')
  await harm('touch /calm')
})

test('it floods its log: others are served, and the node keeps a bounded part', async () => {
  await harm(
    'rm /calm; (until [ -e /calm ]; do head -c 65536 /dev/zero | tr "\\\\0" x >/dev/ttyS0; done) >/dev/null 2>&1 </dev/null &',
  )
  await expectOthersServed()
  const logs = join(node.dataDir, 'supervisor/logs')
  const names = (await readdir(logs)).filter((name) => name.startsWith(bad))
  const sizes = await Promise.all(names.map(async (name) => (await stat(join(logs, name))).size))
  expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThan(4 * mib)
  await harm('touch /calm')
})

test('a program knocks at its node’s door without end: others are served', async () => {
  const knocking = node.core.program({
    runtime: node.core.store(await readFile(node.images.runtimes.node.path)),
    code: node.core.store(writeZip([{ name: 'main.ts', content: knockingSource }])),
    seconds: 20,
    extra: { resources: { vcpus: 1, memory: 256, seconds: 20 } },
  })
  expect(await (await node.call(knocking)).text()).toBe('knocking')
  await expectOthersServed()
  expect(await owner.operate(node, knocking, 'erase')).toBe(`Erased VM with ref ${knocking}`)
  expect(await tracesOf(node.dataDir, knocking)).toEqual([])
})

test('it forks without end: others are served, and it can be erased without a trace', async () => {
  await harm('bomb() { bomb | bomb & }; bomb >/dev/null 2>&1 </dev/null &')
  await expectOthersServed()
  expect(await owner.operate(node, bad, 'erase')).toBe(`Erased VM with ref ${bad}`)
  expect(await tracesOf(node.dataDir, bad)).toEqual([])
})

/** A client of the hostile instance that asks for everything and reads next to nothing. */
async function deafReader(): Promise<ChildProcess> {
  const port = (await node.execution(bad))?.networking.mapped_ports?.['22']?.host
  const options = ['StrictHostKeyChecking=no', 'UserKnownHostsFile=/dev/null', 'BatchMode=yes']
  const args = [
    '-i',
    join(owner.folder, 'key'),
    '-p',
    `${port}`,
    ...options.flatMap((option) => ['-o', option]),
  ]
  const child = spawn('ssh', [...args, 'root@127.0.0.1', 'cat /dev/zero'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  await once(child.stdout, 'readable')
  return child
}
