import { readFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { writeZip } from '../../src/testing/zip-writer.ts'
import { RealNode } from './real-node.ts'
import { eventually } from './test-node.ts'

let node: RealNode
let runtime: string

const source = `
const instance = crypto.randomUUID()
let own: string | undefined
export default async function handle(request: Request): Promise<Response> {
  const { pathname, search } = new URL(request.url)
  if (pathname === '/instance') return new Response(instance)
  if (pathname === '/slow') {
    own ??= crypto.randomUUID()
    await new Promise((resolve) => setTimeout(resolve, 300))
    return new Response(own)
  }
  if (pathname === '/out') {
    const answer = await fetch(await request.text())
    return new Response(await answer.text(), { status: answer.status })
  }
  return Response.json({ method: request.method, pathname, search, greeting: process.env.GREETING, body: await request.text() })
}
`

/**
 * A server of its own: `/events` sends one event, and the next when `/next` is asked for; `/followers` says how many
 * listen; WebSockets hear an echo.
 */
const serverSource = `
import { createHash } from 'node:crypto'
import { createServer, type ServerResponse } from 'node:http'
let followers: ServerResponse[] = []
const server = createServer((request, response) => {
  if (request.url === '/next') {
    for (const follower of followers.splice(0)) follower.end('data: second\\n\\n')
    response.end()
    return
  }
  if (request.url === '/followers') return response.end(String(followers.length))
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  response.write('data: first\\n\\n')
  followers.push(response)
  response.on('close', () => (followers = followers.filter((follower) => follower !== response)))
})
server.on('upgrade', (request, socket) => {
  const accept = createHash('sha1').update(request.headers['sec-websocket-key'] + '258EAFA5-E914-47DA-95CA-C5AB0DC85B11').digest('base64')
  socket.write('HTTP/1.1 101 Switching Protocols\\r\\nupgrade: websocket\\r\\nconnection: Upgrade\\r\\nsec-websocket-accept: ' + accept + '\\r\\n\\r\\n')
  socket.on('data', (frame) => {
    const [size, mask] = [frame[1] & 127, frame.subarray(2, 6)]
    const text = frame.subarray(6, 6 + size).map((byte, index) => byte ^ mask[index % 4])
    socket.write(Buffer.from([frame[0], size, ...text]))
  })
  socket.on('error', () => {})
})
server.listen(Number(process.env.PORT), process.env.HOST)
`

beforeAll(async () => {
  node = await RealNode.start({
    ALEPH_VM_REUSE_TIMEOUT: '1',
    ALEPH_VM_CALLS_PER_VM: '4',
    ALEPH_VM_UPDATE_INTERVAL: '1',
  })
  runtime = node.core.store(await readFile(node.images.runtimes.node.path))
}, 600_000)

afterAll(() => node?.[Symbol.asyncDispose]())

function deploy(
  options: { persistent?: boolean; internet?: boolean; code?: string; useLatestCode?: boolean } = {},
): string {
  return node.core.program({
    runtime,
    code: node.core.store(writeZip([{ name: 'main.ts', content: source }])),
    seconds: 20,
    variables: { GREETING: 'hello' },
    extra: { resources: { vcpus: 1, memory: 256, seconds: 20 } },
    ...options,
  })
}

test('a TypeScript program from a zip answers from its microVM, rests when it is idle, and goes on when it is called', async () => {
  const hash = deploy()
  const response = await node.call(hash, '/path?q=1', { method: 'POST', body: 'a body' })
  expect(await response.json()).toEqual({
    method: 'POST',
    pathname: '/path',
    search: '?q=1',
    greeting: 'hello',
    body: 'a body',
  })
  expect(response.status).toBe(200)
  await eventually(async () => (await node.execution(hash))?.running === false)
  expect((await node.call(hash, '/')).status).toBe(200)
  expect(await node.execution(hash)).toMatchObject({ start: { kind: 'resumed' } })
})

test('what it uses of the host is told', async () => {
  const hash = deploy()
  const read = async (path: string) => {
    // What rests uses nothing.
    await node.call(hash)
    return fetch(`${node.url}${path}`)
  }
  const record = {
    vm_hash: hash,
    cpu_time_user: expect.any(Number),
    io_read_bytes: expect.any(Number),
  }
  await expect
    .poll(async () => (await read('/about/executions/records')).json())
    .toContainEqual(expect.objectContaining(record))
  const memory = new RegExp(`aleph_vm_memory_bytes{vm="${hash}"} (\\d+)`)
  await expect
    .poll(async () => Number(memory.exec(await (await read('/metrics')).text())?.[1]))
    .toBeGreaterThan(1e6)
})

test('a server in a guest streams its events as they come, and carries WebSockets', async () => {
  const hash = deploy({ code: node.core.store(writeZip([{ name: 'main.ts', content: serverSource }])) })
  const response = await node.call(hash, '/events')
  const events = response.body!.pipeThrough(new TextDecoderStream()).getReader()
  expect((await events.read()).value).toBe('data: first\n\n')
  await node.call(hash, '/next')
  expect((await events.read()).value).toBe('data: second\n\n')
  expect((await events.read()).done).toBe(true)

  const socket = new WebSocket(`${node.url.replace('http', 'ws')}/vm/${hash}/socket`)
  await new Promise((resolve) => socket.addEventListener('open', resolve, { once: true }))
  const echo = new Promise<MessageEvent>((resolve) => socket.addEventListener('message', resolve))
  socket.send('there and back')
  expect((await echo).data).toBe('there and back')
  socket.close()
})

test('a guest notices when its client goes', async () => {
  const hash = deploy({ code: node.core.store(writeZip([{ name: 'main.ts', content: serverSource }])) })
  const followers = async () => (await node.call(hash, '/followers')).text()
  const staying = (await node.call(hash, '/events')).body!.getReader()
  await staying.read()
  expect(await followers()).toBe('1')
  const gone = new AbortController()
  const second = await node.call(hash, '/events', { signal: gone.signal })
  await second.body!.getReader().read()
  expect(await followers()).toBe('2')
  gone.abort()
  await expect.poll(followers).toBe('1')
  await node.call(hash, '/next')
  // Whoever is not referred to any more counts as gone, too.
  await staying.cancel()
})

test('with many calls at once it has several machines, and moves to its new version without losing a call', async () => {
  const code = node.core.store(writeZip([{ name: 'main.ts', content: source }]))
  const hash = deploy({ code, useLatestCode: true })
  const seen = new Set<string>()
  const manyCalls = async () => {
    const answers = await Promise.all(Array.from({ length: 6 }, () => node.call(hash, '/slow')))
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200))
    for (const answer of answers) seen.add(await answer.text())
    return answers.map(({ headers }) => headers.get('aleph-program-code-ref'))
  }
  await expect.poll(async () => (await manyCalls()) && seen.size, { timeout: 30_000 }).toBeGreaterThan(1)
  const changed = source.replace('Response(own)', 'Response(own + "!")')
  const newer = node.core.store(writeZip([{ name: 'main.ts', content: changed }]), { ref: code })
  await expect.poll(async () => new Set(await manyCalls()), { timeout: 30_000 }).toEqual(new Set([newer]))
})

test('a guest with internet reaches the network only through the guarded proxy', async () => {
  const inside: Server = createServer((_request, response) => response.end('the host'))
  await new Promise<void>((resolve) => inside.listen(0, '127.0.0.1', resolve))
  try {
    const hash = deploy({ internet: true })
    const { port } = inside.address() as AddressInfo
    for (const host of [`127.0.0.1:${port}`, `localhost:${port}`, '169.254.169.254', '10.0.0.1']) {
      const response = await node.call(hash, '/out', { method: 'POST', body: `http://${host}/` })
      expect([403, 500]).toContain(response.status)
      expect(await response.text()).not.toContain('the host')
    }
  } finally {
    inside.close()
  }
})

test('a persistent program starts with its allocation, outlives kill -9 of the node, and stops with its allocation', async () => {
  const hash = deploy({ persistent: true })
  expect(await node.allocate({ persistent_vms: [hash] })).toMatchObject({
    success: true,
    successful: [hash],
    failing: [],
  })
  const instance = await (await node.call(hash, '/instance')).text()
  await node.kill()
  await node.run()
  expect(await (await node.call(hash, '/instance')).text()).toBe(instance)
  expect(await node.allocate({})).toMatchObject({ success: true, stopped: [hash] })
  expect((await node.execution(hash))?.running).toBe(false)
})

test('SIGTERM stops the node cleanly', async () => {
  expect(await node.terminate()).toBe(0)
})
