import { readdir, readFile, stat } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { writeZip } from '../../src/testing/zip-writer.ts'
import { harmfulSource } from './harmful-program.ts'
import { ownerHeaders } from './owner-headers.ts'
import { RealNode } from './real-node.ts'

let node: RealNode
let bad: string
let good: string
let secret: Server

beforeAll(async () => {
  node = await RealNode.start({ ALEPH_VM_DISK_MB_PER_SECOND: '8' })
  secret = createServer((_request, response) => response.end('a secret of the host'))
  await new Promise<void>((resolve) => secret.listen(0, '127.0.0.1', resolve))
  const runtime = node.core.store(await readFile(node.images.runtimes.binary.path))
  const deploy = (volumes: object[]) =>
    node.core.program({
      runtime,
      code: node.core.store(writeZip([{ name: 'run.sh', content: harmfulSource }])),
      entrypoint: 'run.sh',
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

const harm = (what: string) => node.call(bad, `/cgi-bin/harm/${what}`)
const ask = async (what: string) => (await harm(what)).text()
const neighbour = async () => (await node.call(good)).text()

test('it reaches neither its host, nor its neighbours, nor private networks, nor the cloud’s metadata', async () => {
  const { port } = secret.address() as AddressInfo
  for (const host of ['10.0.2.2', '192.168.0.1', '169.254.169.254', '172.16.3.2', '1.1.1.1']) {
    expect(await ask(`reach?${host}:${port}`)).toContain('Network is unreachable')
  }
  expect(await ask(`reach?127.0.0.1:${port}`)).toContain('Connection refused')
})

test('it fills what it was given, and nothing else', async () => {
  expect(await ask('fill?/disk/file')).toContain('No space left on device')
  expect(await ask('fill?/tmp/file')).toContain('No space left on device')
  expect(await neighbour()).toBe('hello')
})

test('it moves no more on its disk a second than it may', async () => {
  const bytes = 24 * 1024 * 1024
  const startedAt = performance.now()
  expect(await ask('write?24')).toContain('records out')
  const seconds = (performance.now() - startedAt) / 1000
  expect(await neighbour()).toBe('hello')
  // A short while's allowance may come at once.
  expect(bytes / seconds).toBeLessThan(1.5 * 8 * 1024 * 1024)
})

test('it sends without end to a client that does not read: its neighbours are served', async () => {
  const response = await harm('flood-socket')
  for (let count = 0; count < 5; count++) expect(await neighbour()).toBe('hello')
  await response.body?.cancel()
})

test('it floods its log without end: its neighbours are served, and the node keeps a bounded part', async () => {
  expect(await ask('flood-log')).toBe('flooding\n')
  for (let count = 0; count < 5; count++) expect(await neighbour()).toBe('hello')
  const logs = join(node.dataDir, 'supervisor/logs')
  const names = (await readdir(logs)).filter((name) => name.startsWith(bad))
  const sizes = await Promise.all(names.map(async (name) => (await stat(join(logs, name))).size))
  expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThan(4 * 1024 * 1024)
})

test('it forks without end: its neighbours are served, and it can be stopped', async () => {
  await harm('fork').catch(() => undefined)
  for (let count = 0; count < 5; count++) expect(await neighbour()).toBe('hello')
  const path = `/control/machine/${bad}/stop`
  const headers = ownerHeaders(node.core.owner, path, 'POST')
  const stopped = await fetch(`${node.url}${path}`, { method: 'POST', headers })
  expect(stopped.status).toBe(200)
  expect((await node.execution(bad))?.running).toBe(false)
})
