import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type TestAccount, testAccount } from '../../src/testing/fake-core-node.ts'
import { ownerHeaders } from './owner-headers.ts'
import { TestNode } from './test-node.ts'

let node: TestNode
beforeAll(async () => {
  node = await TestNode.start()
})
afterAll(() => node[Symbol.asyncDispose]())

const get = (path: string, headers?: Record<string, string>) => fetch(`${node.url}${path}`, { headers })

describe('what a node says of itself', () => {
  test('every answer carries the version scoring looks for', async () => {
    for (const path of ['/', '/status/config', '/about/login', '/nowhere', '/vm/nonsense']) {
      expect((await get(path)).headers.get('server')).toMatch(/^aleph-vm\/\d+\.\d+\.\d+$/)
    }
  })

  test('a browser finds a page', async () => {
    const response = await get('/')
    expect(response.headers.get('content-type')).toContain('text/html')
    expect(await response.text()).toContain('Aleph compute node')
  })

  test('usage has what schedulers read', async () => {
    expect(await (await get('/about/usage/system')).json()).toMatchObject({
      cpu: { count: expect.any(Number), load_average: { load1: expect.any(Number) } },
      mem: { total_kB: expect.any(Number), available_kB: expect.any(Number) },
      disk: { total_kB: expect.any(Number), available_kB: expect.any(Number) },
      period: {
        start_timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:00Z$/),
        duration_seconds: 60,
      },
      gpu: { devices: [], available_devices: [] },
      active: true,
    })
    expect(await (await get('/about/capability')).json()).toMatchObject({ cpu: {}, memory: { units: 'MiB' } })
  })

  test('a running program is in both lists of executions', async () => {
    const hash = await node.deploy((_request, response) => response.end('x'))
    await node.call(hash)
    expect(await (await get('/about/executions/list')).json()).toMatchObject({
      [hash]: { vm_type: 'microvm' },
    })
    expect(await (await get('/v2/about/executions/list')).json()).toMatchObject({
      [hash]: {
        running: true,
        state: 'running',
        vm_type: 'microvm',
        status: { started_at: expect.stringMatching(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}\+00:00$/) },
      },
    })
  })

  test('the configuration names the network, the core nodes and the hypervisor in use', async () => {
    expect(await (await get('/status/config')).json()).toMatchObject({
      DOMAIN_NAME: 'localhost',
      network: 'devnet',
      references: { API_SERVER: node.core.url },
      computing: { hypervisor: { name: 'fake' } },
    })
  })

  test('metrics count calls and starts', async () => {
    await node.call(await node.deploy((_request, response) => response.end('x')))
    const metrics = await (await get('/metrics')).text()
    expect(metrics).toMatch(/aleph_program_requests_total\{status="2xx"\} \d/)
    expect(metrics).toMatch(/aleph_vm_start_seconds_count\{kind="cold"\} \d/)
    expect(metrics).toMatch(/aleph_vms\{state="running",kind="on-demand"\} \d/)
  })

  test('browsers of any origin may read it; programs decide for themselves', async () => {
    const origin = 'https://console.example'
    const about = await get('/about/usage/system', { origin })
    expect(about.headers.get('access-control-allow-origin')).toBe(origin)
    expect(about.headers.get('access-control-allow-credentials')).toBe('true')
    const hash = await node.deploy((_request, response) => response.end('x'))
    expect((await get(`/vm/${hash}/`, { origin })).headers.has('access-control-allow-origin')).toBe(false)
  })

  test('unknown paths are a JSON 404', async () => {
    for (const path of ['/nowhere', '/about/nothing', '/control/nothing']) {
      const response = await get(path)
      expect([response.status, (await response.json()) as object]).toEqual([
        404,
        { error: '404: Not Found', code: 'not_found', retryable: false },
      ])
    }
  })
})

describe('what operators and scoring ask', () => {
  test('the debug pages open with the token of this machine alone', async () => {
    const token = await readFile(join(node.dataDir, 'state/login_token'), 'utf8')
    expect((await get('/about/config')).status).toBe(401)
    const wrong = await get('/about/login?token=guess')
    expect([wrong.status, await wrong.json()]).toEqual([401, { success: false }])
    const login = await fetch(`${node.url}/about/login?token=${token}`, { redirect: 'manual' })
    expect([login.status, login.headers.get('location')]).toEqual([302, '/about/config'])
    const cookie = (login.headers.get('set-cookie') ?? '').split(';')[0] ?? ''
    expect(await (await get('/about/config', { cookie })).json()).toMatchObject({ domainName: 'localhost' })
    expect((await get('/about/executions/details', { cookie })).status).toBe(200)
  })

  test('a version is compared', async () => {
    expect((await get('/status/check/version?reference=0.0.1')).status).toBe(200)
    expect((await get('/status/check/version?reference=99.0.0')).status).toBe(403)
    expect((await get('/status/check/version')).status).toBe(400)
  })

  test('IPv6 is told honestly: guests have none', async () => {
    expect(await (await get('/status/check/ipv6')).json()).toMatchObject({ vm: false })
  })

  test('the diagnostic program says what of it works', async () => {
    const answers: Record<string, unknown> = {
      '/': { Example: 'example_fastapi' },
      '/ip/4': { result: true },
      '/internet': { result: 200 },
    }
    const hash = await node.deploy((request, response) => {
      const answer = answers[request.url ?? '']
      response.statusCode = answer ? 200 : 404
      response.end(JSON.stringify(answer ?? {}))
    })
    const environment = { ALEPH_VM_CHECK_FASTAPI_VM_ID: hash, ALEPH_VM_API_SERVERS: node.core.url }
    await using checked = await TestNode.start({ environment })
    checked.programs.set(hash, node.programs.get(hash) as never)
    const response = await fetch(`${checked.url}/status/check/fastapi`)
    expect(response.status).toBe(503)
    expect(await response.json()).toMatchObject({ index: true, ipv4: true, internet: true, dns: false })
  })

  test('records have a row per VM', async () => {
    const hash = await node.deploy((_request, response) => response.end('x'))
    await node.call(hash)
    const records = (await (await get('/about/executions/records')).json()) as { vm_hash: string }[]
    expect(records.find(({ vm_hash }) => vm_hash === hash)).toMatchObject({ memory: 128, starts: 1 })
  })
})

describe('what an owner may do', () => {
  function logs(hash: string, account: TestAccount): Promise<Response> {
    const path = `/control/machine/${hash}/logs`
    return get(path, ownerHeaders(account, path))
  }

  test('the owner reads what the program printed, also after it stopped', async () => {
    const hash = await node.deploy({ fails: 'exits', code: 1, prints: 'it broke' })
    await node.call(hash)
    const response = await logs(hash, node.core.owner)
    expect(response.status).toBe(200)
    expect(response.headers.get('content-type')).toContain('application/json')
    const entries = (await response.json()) as { MESSAGE: string }[]
    expect(entries.find(({ MESSAGE }) => MESSAGE.includes('it broke'))).toMatchObject({
      SYSLOG_IDENTIFIER: `vm-${hash}-stdout`,
      file: 'stdout',
      __REALTIME_TIMESTAMP: expect.stringMatching(/^\d{4}-/),
    })
  })

  test('somebody else may not, unless the owner said so', async () => {
    const owner = testAccount()
    const friend = testAccount()
    const hash = await node.deploy((_request, response) => response.end('x'), { owner })
    await node.call(hash)
    const denied = await logs(hash, friend)
    expect([denied.status, await denied.text()]).toEqual([403, 'Unauthorized sender'])
    const other = testAccount()
    const shared = await node.deploy((_request, response) => response.end('x'), { owner: other })
    await node.call(shared)
    const authorizations = [{ address: friend.address.toLowerCase(), types: ['INSTANCE'] }]
    node.core.aggregates.set(`${other.address}/security`, { authorizations })
    expect((await logs(shared, friend)).status).toBe(200)
  })

  test('the owner stops a VM; nobody else does', async () => {
    const hash = await node.deploy((_request, response) => response.end('x'))
    await node.call(hash)
    const path = `/control/machine/${hash}/stop`
    const stop = (account: TestAccount) =>
      fetch(`${node.url}${path}`, { method: 'POST', headers: ownerHeaders(account, path, 'POST') })
    expect((await stop(testAccount())).status).toBe(403)
    expect(await (await stop(node.core.owner)).text()).toBe(`Stopped VM with ref ${hash}`)
    expect(await (await get('/about/executions/list')).json()).not.toHaveProperty(hash)
    expect(await (await stop(node.core.owner)).text()).toBe('Already stopped, nothing to do')
  })

  test('without signature 400, unknown VM 404, nonsense 400', async () => {
    const unknown = 'ab'.repeat(32)
    expect((await get(`/control/machine/${unknown}/logs`)).status).toBe(400)
    const missing = await logs(unknown, node.core.owner)
    expect([missing.status, ((await missing.json()) as { error: string }).error]).toEqual([
      404,
      `No virtual machine with ref ${unknown}`,
    ])
    expect((await get('/control/machine/nonsense/logs')).status).toBe(400)
  })
})

test('a draining node finishes what it began and refuses what is new', async () => {
  await using leaving = await TestNode.start()
  let finish: () => void = () => undefined
  const hash = await leaving.deploy((_request, response) => {
    response.write('begun ')
    finish = () => response.end('and done')
  })
  const response = await leaving.call(hash)
  const stopped = leaving.node.stop(true)
  await new Promise((resolve) => setTimeout(resolve, 20))
  expect(await (await leaving.call(hash)).json()).toMatchObject({ code: 'draining' })
  finish()
  expect(await response.text()).toBe('begun and done')
  await stopped
})
