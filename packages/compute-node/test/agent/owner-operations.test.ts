import { once } from 'node:events'
import { sha256Hex } from '@aleph-ts/protocol'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { type TestAccount, testAccount } from '../../src/testing/fake-core-node.ts'
import { ownerHeaders, ownerProof } from './owner-headers.ts'
import { eventually, TestNode } from './test-node.ts'
import { tracesOf } from './traces.ts'

let node: TestNode
beforeAll(async () => {
  node = await TestNode.start()
})
afterAll(() => node[Symbol.asyncDispose]())

const greeting = (_request: unknown, response: { end(text: string): void }) => response.end('hello')

async function operate(
  hash: string,
  operation: string,
  options: { account?: TestAccount; body?: unknown; query?: string; method?: string } = {},
): Promise<[number, string]> {
  const { account = node.core.owner, body, query = '', method = 'POST' } = options
  const path = `/control/machine/${hash}/${operation}`
  const response = await fetch(`${node.url}${path}${query}`, {
    method,
    headers: { ...ownerHeaders(account, path, method), 'content-type': 'application/json' },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  })
  return [response.status, await response.text()]
}

async function running(hash: string): Promise<boolean> {
  const list = await (await fetch(`${node.url}/v2/about/executions/list`)).json()
  return (list as Record<string, { running: boolean }>)[hash]?.running ?? false
}

describe('the owner of a VM', () => {
  test('stops it and starts it again', async () => {
    const hash = await node.deploy(greeting)
    await node.call(hash)
    expect(await operate(hash, 'stop')).toEqual([200, `Stopped VM with ref ${hash}`])
    expect(await running(hash)).toBe(false)
    expect(await operate(hash, 'start')).toEqual([200, `Started VM with ref ${hash}`])
    expect(await running(hash)).toBe(true)
    expect(await operate(hash, 'start')).toEqual([200, 'Already running, nothing to do'])
  })

  test('reboots it, and a reboot of a stopped VM really starts it', async () => {
    const hash = await node.deploy(greeting)
    await node.call(hash)
    expect(await operate(hash, 'reboot')).toEqual([200, `Rebooted VM with ref ${hash}`])
    expect(await running(hash)).toBe(true)
    await operate(hash, 'stop')
    const [status, text] = await operate(hash, 'reboot')
    expect([status, text]).toEqual([200, expect.stringContaining('Starting VM (was not running)')])
    expect(await running(hash)).toBe(true)
  })

  test('erases it: nothing of it is left, not even its name in a list', async () => {
    const volumes = [{ mount: '/data', persistence: 'host', name: 'data', size_mib: 5 }]
    const hash = await node.deploy(greeting, { extra: { volumes } })
    await node.call(hash)
    expect(await tracesOf(node.dataDir, hash)).not.toEqual([])
    expect(await operate(hash, 'erase')).toEqual([200, `Erased VM with ref ${hash}`])
    const list = await (await fetch(`${node.url}/v2/about/executions/list`)).json()
    expect(list).not.toHaveProperty(hash)
    expect((await operate(hash, 'logs', { method: 'GET' }))[0]).toBe(404)
    expect(await tracesOf(node.dataDir, hash)).toEqual([])
  })

  test('may have an operation obeyed once only, and held to its query and body', async () => {
    const hash = await node.deploy(greeting)
    await node.call(hash)
    const path = `/control/machine/${hash}/expire`
    const ask = async (headers: Record<string, string>, query: string, body: string) => {
      const type = { 'content-type': 'application/json' }
      const init = { method: 'POST', headers: { ...headers, ...type }, body }
      return (await fetch(`${node.url}${path}${query}`, init)).status
    }
    const body = '{"timeout": 600}'
    const extra = { query: 'a=1', body_sha256: sha256Hex(body), nonce: 'only once' }
    const headers = ownerHeaders(node.core.owner, path, 'POST', extra)
    expect(await ask(headers, '?a=2', body)).toBe(401)
    expect(await ask(headers, '?a=1', '{"timeout": 0}')).toBe(401)
    expect(await ask(headers, '?a=1', body)).toBe(200)
    expect(await ask(headers, '?a=1', body)).toBe(401)
    expect(await running(hash)).toBe(true)
  })

  test('reinstalls it', async () => {
    const hash = await node.deploy(greeting)
    await node.call(hash)
    expect(await operate(hash, 'reinstall')).toEqual([200, `Reinstalled VM with ref ${hash}`])
    expect(await (await node.call(hash)).text()).toBe('hello')
  })

  test('lets it expire, at once or later, and not in a year', async () => {
    const hash = await node.deploy(greeting)
    await node.call(hash)
    expect((await operate(hash, 'expire', { body: { timeout: 864_000 } }))[0]).toBe(400)
    const later = await operate(hash, 'expire', { body: { timeout: 600 } })
    expect(later).toEqual([200, `Expiring VM with ref ${hash} in 600 seconds`])
    expect(await running(hash)).toBe(true)
    expect((await operate(hash, 'expire'))[0]).toBe(200)
    await eventually(async () => !(await running(hash)))
  })

  test('is told that an ordinary VM has nothing to measure', async () => {
    const hash = await node.deploy(greeting)
    await node.call(hash)
    const [status, text] = await operate(hash, 'confidential/measurement', { method: 'GET' })
    expect([status, text]).toEqual([403, expect.stringContaining('not launched confidentially')])
  })

  test('is the only one who may', async () => {
    const hash = await node.deploy(greeting)
    await node.call(hash)
    for (const operation of ['stop', 'start', 'reboot', 'erase', 'reinstall', 'expire']) {
      const refused = await operate(hash, operation, { account: testAccount() })
      expect(refused).toEqual([403, 'Unauthorized sender'])
      const unsigned = await fetch(`${node.url}/control/machine/${hash}/${operation}`, { method: 'POST' })
      expect(await unsigned.json()).toMatchObject({ error: 'Missing X-SignedPubKey header' })
    }
    expect(await running(hash)).toBe(true)
  })

  test('reads only what is new of a log', async () => {
    const hash = await node.deploy({ fails: 'exits', code: 1, prints: 'first\nsecond\nthird' })
    await node.call(hash)
    const lines = async (query: string) => {
      const [, text] = await operate(hash, 'logs', { method: 'GET', query })
      return (JSON.parse(text) as { MESSAGE: string }[]).map(({ MESSAGE }) => MESSAGE)
    }
    expect(await lines('?limit=2')).toEqual(['second', 'third'])
    expect(await lines(`?since=${Date.now() / 1000 + 60}`)).toEqual([])
    expect(await lines('?since=2020-01-01T00:00:00Z')).toEqual(['first', 'second', 'third'])
    expect((await operate(hash, 'logs', { method: 'GET', query: '?since=soon' }))[0]).toBe(400)
  })
})

describe('a log by WebSocket', () => {
  async function watch(
    hash: string,
    account: TestAccount,
    changes: { frame?: string; method?: string } = {},
  ) {
    const path = `/control/machine/${hash}/stream_logs`
    const socket = new WebSocket(`${node.url.replace('http', 'ws')}${path}`)
    const frames: Record<string, string>[] = []
    const closed = once(socket, 'close')
    socket.on('message', (data) => frames.push(JSON.parse(String(data))))
    await once(socket, 'open')
    const auth = ownerProof(account, path, changes.method ?? 'GET')
    socket.send(changes.frame ?? JSON.stringify({ auth }))
    return { socket, frames, closed }
  }

  test('begins with what was printed and goes on live', async () => {
    const hash = await node.deploy(greeting)
    await node.call(hash)
    node.machines.get(hash)?.print('before')
    // The web console signs POST for this route.
    const { socket, frames, closed } = await watch(hash, node.core.owner, { method: 'POST' })
    await eventually(() => frames.some(({ message }) => message === 'before'))
    node.machines.get(hash)?.print('after')
    await eventually(() => frames.some(({ message }) => message === 'after'))
    expect(frames).toEqual([
      { status: 'connected' },
      { type: 'stdout', message: 'before' },
      { type: 'stdout', message: 'after' },
    ])
    socket.close()
    await closed
  })

  test('of a VM that stopped has its past and ends', async () => {
    const hash = await node.deploy({ fails: 'exits', code: 1, prints: 'it broke' })
    await node.call(hash)
    const { frames, closed } = await watch(hash, node.core.owner)
    await closed
    expect(frames).toEqual([
      { status: 'connected' },
      { type: 'stdout', message: 'it broke' },
      { type: 'system', message: 'VM is not running, past logs sent' },
    ])
  })

  test.each<[string, { account?: TestAccount; frame?: string }, string]>([
    ['a stranger', { account: testAccount() }, 'unauthorized sender'],
    ['who proves nothing', { frame: '{}' }, "missing 'auth' key in message"],
    ['who sends no JSON', { frame: 'x' }, 'the first message is not JSON'],
  ])('is closed to %s', async (_who, { account, frame }, reason) => {
    const hash = await node.deploy(greeting)
    await node.call(hash)
    const { frames, closed } = await watch(hash, account ?? node.core.owner, { frame })
    await closed
    expect(frames).toEqual([{ status: 'failed', reason }])
  })
})
