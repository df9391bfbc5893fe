import { readdir, readFile, stat } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ownerHeaders } from './owner-headers.ts'
import { RealNode } from './real-node.ts'
import { writeZip } from './zip-writer.ts'

const source = `
import { spawn } from 'node:child_process'
import { closeSync, openSync, writeSync } from 'node:fs'
import { connect } from 'node:net'

function reach(host: string, port: number): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: 2000 })
    socket.once('connect', () => resolve('reached'))
    socket.once('timeout', () => resolve('timeout'))
    socket.once('error', (error) => resolve((error as NodeJS.ErrnoException).code ?? 'error'))
  })
}

function fill(path: string): string {
  const file = openSync(path, 'w')
  const block = Buffer.alloc(1048576, 1)
  try {
    for (let count = 0; count < 4096; count++) writeSync(file, block)
    return 'no limit'
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? 'error'
  } finally {
    closeSync(file)
  }
}

export default async function (request: Request): Promise<Response> {
  const { pathname, searchParams } = new URL(request.url)
  if (pathname === '/reach') return new Response(await reach(searchParams.get('host')!, Number(searchParams.get('port'))))
  if (pathname === '/fill') return new Response(fill(searchParams.get('path')!))
  if (pathname === '/flood-log') {
    const flood = 'for (;;) console.log("x".repeat(400))'
    spawn(process.execPath, ['-e', flood], { stdio: 'inherit' })
    return new Response('flooding')
  }
  if (pathname === '/flood-socket') {
    const block = new Uint8Array(1048576)
    return new Response(new ReadableStream({ pull: (controller) => controller.enqueue(block) }))
  }
  if (pathname === '/fork') {
    const bomb = 'const { spawn } = require("node:child_process"); for (;;) spawn(process.execPath, ["-e", process.argv[1]])'
    for (let child = 0; child < 8; child++) spawn(process.execPath, ['-e', bomb, bomb], { detached: true, stdio: 'ignore' })
    return new Response('forked')
  }
  return new Response('hello')
}
`

let node: RealNode
let bad: string
let good: string
let secret: Server

beforeAll(async () => {
  node = await RealNode.start()
  secret = createServer((_request, response) => response.end('a secret of the host'))
  await new Promise<void>((resolve) => secret.listen(0, '127.0.0.1', resolve))
  const runtime = node.core.store(await readFile(node.images.runtimes.node.path))
  const deploy = (volumes: object[]) =>
    node.core.program({
      runtime,
      code: node.core.store(writeZip([{ name: 'main.ts', content: source }])),
      seconds: 20,
      extra: { resources: { vcpus: 1, memory: 256, seconds: 20 }, volumes },
    })
  good = deploy([])
  bad = deploy([{ name: 'disk', persistence: 'host', size_mib: 32, mount: '/disk' }])
  await Promise.all([node.call(good), node.call(bad)])
}, 600_000)

afterAll(async () => {
  secret?.close()
  await node?.[Symbol.asyncDispose]()
})

const ask = async (path: string) => (await node.call(bad, path)).text()
const neighbour = async () => (await node.call(good)).text()

test('it reaches neither its host, nor its neighbours, nor private networks, nor the cloud’s metadata', async () => {
  const { port } = secret.address() as AddressInfo
  for (const host of ['10.0.2.2', '192.168.0.1', '169.254.169.254', '172.16.3.2', '1.1.1.1']) {
    expect(await ask(`/reach?host=${host}&port=${port}`)).toBe('ENETUNREACH')
  }
  expect(await ask(`/reach?host=127.0.0.1&port=${port}`)).toBe('ECONNREFUSED')
})

test('it fills what it was given, and nothing else', async () => {
  expect(await ask('/fill?path=/disk/file')).toBe('ENOSPC')
  expect(await ask('/fill?path=/tmp/file')).toBe('ENOSPC')
  expect(await neighbour()).toBe('hello')
})

test('it sends without end to a client that does not read: its neighbours are served', async () => {
  const response = await node.call(bad, '/flood-socket')
  for (let count = 0; count < 5; count++) expect(await neighbour()).toBe('hello')
  await response.body?.cancel()
})

test('it floods its log without end: its neighbours are served, and the node keeps a bounded part', async () => {
  expect(await ask('/flood-log')).toBe('flooding')
  for (let count = 0; count < 5; count++) expect(await neighbour()).toBe('hello')
  const logs = join(node.dataDir, 'supervisor/logs')
  const names = (await readdir(logs)).filter((name) => name.startsWith(bad))
  const sizes = await Promise.all(names.map(async (name) => (await stat(join(logs, name))).size))
  expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThan(4 * 1024 * 1024)
})

test('it forks without end: its neighbours are served, and it can be stopped', async () => {
  await node.call(bad, '/fork').catch(() => undefined)
  for (let count = 0; count < 5; count++) expect(await neighbour()).toBe('hello')
  const path = `/control/machine/${bad}/stop`
  const headers = ownerHeaders(node.core.owner, path, 'POST')
  const stopped = await fetch(`${node.url}${path}`, { method: 'POST', headers })
  expect(stopped.status).toBe(200)
  expect((await node.execution(bad))?.running).toBe(false)
})
