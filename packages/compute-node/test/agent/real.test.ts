import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { buildGuestImages } from '@aleph-ts/guest'
import { evmAddress, signAllocationRequest } from '@aleph-ts/protocol'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { FakeCoreNode, testAccount } from './fake-core-node.ts'
import { eventually } from './test-node.ts'
import { writeZip } from './zip-writer.ts'

const root = join(import.meta.dirname, '../../../..')
const scheduler = testAccount()
let core: FakeCoreNode
let dataDir = ''
let imagesDir = ''
let runtime = ''
let node: ChildProcess
let url = ''

const source = `
const instance = crypto.randomUUID()
export default async function handle(request: Request): Promise<Response> {
  const { pathname, search } = new URL(request.url)
  if (pathname === '/instance') return new Response(instance)
  if (pathname === '/out') {
    const answer = await fetch(await request.text())
    return new Response(await answer.text(), { status: answer.status })
  }
  return Response.json({ method: request.method, pathname, search, greeting: process.env.GREETING, body: await request.text() })
}
`

beforeAll(async () => {
  imagesDir = process.env.ALEPH_CACHE_DIR ?? join(root, '.cache/guest')
  const images = await buildGuestImages({ cacheDir: imagesDir })
  core = await FakeCoreNode.start()
  dataDir = await mkdtemp(join(tmpdir(), 'aleph-compute-'))
  runtime = core.store(await readFile(images.runtimes.node.path))
  await startNode()
}, 600_000)

afterAll(async () => {
  if (node?.exitCode === null) {
    node.kill('SIGTERM')
    await once(node, 'exit')
  }
  await core?.[Symbol.asyncDispose]()
  if (dataDir) await rm(dataDir, { recursive: true, force: true })
})

async function startNode(): Promise<void> {
  node = spawn(process.execPath, [join(import.meta.dirname, '../../src/main.ts')], {
    stdio: ['ignore', 'pipe', process.env.ALEPH_TEST_LOGS ? 'inherit' : 'ignore'],
    env: {
      PATH: process.env.PATH,
      ALEPH_VM_DATA_DIR: dataDir,
      ALEPH_VM_SUPERVISOR_PORT: '0',
      ALEPH_VM_API_SERVERS: core.url,
      ALEPH_VM_GUEST_IMAGES_DIR: imagesDir,
      ALEPH_VM_AUTHORIZED_ALLOCATION_SIGNERS: scheduler.address,
      ALEPH_VM_REUSE_TIMEOUT: '1',
      ALEPH_VM_STOP_VMS_ON_EXIT: '1',
      ALEPH_VM_LOG_LEVEL: 'debug',
    },
  })
  const [line] = await once(createInterface({ input: node.stdout! }), 'line')
  const ready = JSON.parse(line) as { ready: boolean; url: string; hypervisor: string }
  expect(ready).toMatchObject({ ready: true, hypervisor: 'qemu' })
  url = ready.url
}

function deploy(options: { persistent?: boolean; internet?: boolean } = {}): string {
  const code = core.store(writeZip([{ name: 'main.ts', content: source }]))
  const program = {
    runtime,
    code,
    seconds: 20,
    variables: { GREETING: 'hello' },
    extra: resources,
    ...options,
  }
  return core.program(program)
}
const resources = { resources: { vcpus: 1, memory: 256, seconds: 20 } }

interface Execution {
  running: boolean
  start: { kind: string } | null
}

async function execution(hash: string): Promise<Execution | undefined> {
  const list = await (await fetch(`${url}/v2/about/executions/list`)).json()
  return (list as Record<string, Execution>)[hash]
}

async function allocate(persistent: string[]): Promise<unknown> {
  const path = '/control/allocations'
  const body = Buffer.from(JSON.stringify({ persistent_vms: persistent, instances: [] }))
  const { privateKey } = scheduler
  const authorization = signAllocationRequest({
    method: 'POST',
    path,
    body,
    iat: Date.now() / 1000,
    privateKey,
  })
  expect(evmAddress(privateKey)).toBe(scheduler.address)
  const response = await fetch(`${url}${path}`, { method: 'POST', body, headers: { authorization } })
  return response.json()
}

test('a TypeScript program from a zip answers from its microVM, and again from a snapshot after it went idle', async () => {
  const hash = deploy()
  const response = await fetch(`${url}/vm/${hash}/path?q=1`, { method: 'POST', body: 'a body' })
  expect(await response.json()).toEqual({
    method: 'POST',
    pathname: '/path',
    search: '?q=1',
    greeting: 'hello',
    body: 'a body',
  })
  expect(response.status).toBe(200)
  await eventually(async () => (await execution(hash))?.running === false)
  expect((await fetch(`${url}/vm/${hash}/`)).status).toBe(200)
  expect(await execution(hash)).toMatchObject({ running: true, start: { kind: 'restored' } })
})

test('a guest with internet reaches the network only through the guarded proxy', async () => {
  const inside: Server = createServer((_request, response) => response.end('the host'))
  await new Promise<void>((resolve) => inside.listen(0, '127.0.0.1', resolve))
  try {
    const hash = deploy({ internet: true })
    const { port } = inside.address() as AddressInfo
    for (const host of [`127.0.0.1:${port}`, `localhost:${port}`, '169.254.169.254', '10.0.0.1']) {
      const response = await fetch(`${url}/vm/${hash}/out`, { method: 'POST', body: `http://${host}/` })
      expect([403, 500]).toContain(response.status)
      expect(await response.text()).not.toContain('the host')
    }
  } finally {
    inside.close()
  }
})

test('a persistent program starts with its allocation, outlives kill -9 of the node, and stops with its allocation', async () => {
  const hash = deploy({ persistent: true })
  expect(await allocate([hash])).toMatchObject({ success: true, successful: [hash], failing: [] })
  const instance = await (await fetch(`${url}/vm/${hash}/instance`)).text()
  node.kill('SIGKILL')
  await once(node, 'exit')
  await startNode()
  expect(await (await fetch(`${url}/vm/${hash}/instance`)).text()).toBe(instance)
  expect(await allocate([])).toMatchObject({ success: true, stopped: [hash] })
  expect((await execution(hash))?.running).toBe(false)
})

test('SIGTERM stops the node cleanly', async () => {
  node.kill('SIGTERM')
  expect(await once(node, 'exit')).toEqual([0, null])
})
