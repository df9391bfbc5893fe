import { createHash } from 'node:crypto'
import { personalSign, signAllocationRequest } from '@aleph-ts/protocol'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { testAccount } from '../../src/testing/fake-core-node.ts'
import { eventually, TestNode } from './test-node.ts'

const path = '/control/allocations'
const scheduler = testAccount()
const stranger = testAccount()
const emptyBody = JSON.stringify({ persistent_vms: [], instances: [] })

let node: TestNode
let lastTime = Math.floor(Date.now() / 1000)

beforeAll(async () => {
  node = await TestNode.start({ environment: { ALEPH_VM_AUTHORIZED_ALLOCATION_SIGNERS: scheduler.address } })
})
afterAll(() => node[Symbol.asyncDispose]())

/** Every push has a time of its own, counted down from the start of the test: equal ones would be replays. */
function freshTime(): number {
  return lastTime--
}

async function push(
  body: string,
  options: { authorization?: string; query?: string; url?: string; headers?: Record<string, string> } = {},
) {
  const authorization =
    options.authorization ??
    signAllocationRequest({
      method: 'POST',
      path,
      body: Buffer.from(body),
      iat: freshTime(),
      privateKey: scheduler.privateKey,
    })
  const response = await fetch(`${options.url ?? node.url}${path}${options.query ?? ''}`, {
    method: 'POST',
    body,
    headers: { authorization, ...options.headers },
  })
  return { status: response.status, body: (await response.json()) as Record<string, unknown> }
}

function plan(persistent: string[], more: Record<string, unknown> = {}): string {
  return JSON.stringify({ persistent_vms: persistent, instances: [], ...more })
}

interface Execution {
  running: boolean
  status: { stopped_at: string | null }
  allocation: { state: string; attempts: number; next_retry_at: string | null } | null
}

async function executions(): Promise<Record<string, Execution>> {
  const response = await fetch(`${node.url}/v2/about/executions/list`)
  return (await response.json()) as Record<string, Execution>
}

describe('who may allocate', () => {
  const sign = (claims: object, privateKey = scheduler.privateKey) => {
    const payload = Buffer.from(JSON.stringify(claims))
    return `Aleph-EIP191-V1 sig=${personalSign(payload, privateKey)},payload=${payload.toString('hex')}`
  }
  const claims = (changes: object = {}) => ({
    body_sha256: createHash('sha256').update(emptyBody).digest('hex'),
    iat: freshTime(),
    method: 'POST',
    path,
    ...changes,
  })

  test('the scheduler may', async () => {
    expect((await push(emptyBody, { authorization: sign(claims()) })).status).toBe(200)
    expect((await push(emptyBody, { authorization: sign(claims()).replace('Aleph', 'aLEPH') })).status).toBe(
      200,
    )
  })

  test.each([
    ['no header', () => ''],
    ['another scheme', () => 'Bearer x'],
    ['a missing payload', () => 'Aleph-EIP191-V1 sig=0x00'],
    ['an unknown parameter', () => `${sign(claims())},extra=1`],
    ['a payload that is no JSON', () => 'Aleph-EIP191-V1 sig=0x00,payload=00'],
    ['missing claims', () => sign({ method: 'POST' })],
    ['a time that is no integer', () => sign(claims({ iat: true }))],
    ['a time long past', () => sign(claims({ iat: freshTime() - 600 }))],
    ['a time far ahead', () => sign(claims({ iat: Math.floor(Date.now() / 1000) + 400 }))],
    ['another method', () => sign(claims({ method: 'GET' }))],
    ['another path', () => sign(claims({ path: '/control/other' }))],
    ['another body', () => sign(claims({ body_sha256: '0'.repeat(64) }))],
    ['a stranger', () => sign(claims(), stranger.privateKey)],
    ['a spoilt signature', () => sign(claims()).replace(/sig=0x../, 'sig=0x00')],
  ])('%s is refused with the one 401', async (_what, authorization) => {
    const answer = await push(emptyBody, { authorization: authorization() })
    expect(answer.status).toBe(401)
    expect(answer.body.error).toBe('Authentication token received is invalid')
  })

  test('a query string is refused', async () => {
    expect((await push(emptyBody, { query: '?a=1' })).status).toBe(401)
  })

  test('a body without a length is refused', async () => {
    const { privateKey } = scheduler
    const body = Buffer.from(emptyBody)
    const authorization = signAllocationRequest({ method: 'POST', path, body, iat: freshTime(), privateKey })
    const stream = new Blob([body]).stream()
    const init = { method: 'POST', body: stream, duplex: 'half', headers: { authorization } } as RequestInit
    expect((await fetch(`${node.url}${path}`, init)).status).toBe(401)
  })

  test('a body above one MiB is refused', async () => {
    expect((await push(plan([], { jobs: 'x'.repeat(1024 * 1024) }))).status).toBe(401)
  })

  test('the same request works once, also after a restart', async () => {
    const authorization = sign(claims())
    expect((await push(emptyBody, { authorization })).status).toBe(200)
    expect((await push(emptyBody, { authorization })).status).toBe(401)
    await node.restart()
    expect((await push(emptyBody, { authorization })).status).toBe(401)
  })

  test('without a list of its own, a node obeys the owner of the core node it is linked to', async () => {
    const nodeHash = 'aa'.repeat(32)
    await using linked = await TestNode.start({ environment: { ALEPH_VM_NODE_HASH: nodeHash } })
    expect((await push(emptyBody, { url: linked.url })).status).toBe(401)
    linked.core.aggregates.set('0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266/corechannel', {
      nodes: [{ hash: 'bb'.repeat(32), owner: scheduler.address, status: 'active' }],
      resource_nodes: [
        { hash: nodeHash, owner: stranger.address, status: 'linked', parent: 'bb'.repeat(32) },
      ],
    })
    expect((await push(emptyBody, { url: linked.url })).status).toBe(200)
  })
})

describe('what an allocation does', () => {
  test('a body that is no plan is a 400 that says where', async () => {
    const bad = await push(plan(['not a hash']))
    expect(bad.status).toBe(400)
    expect(bad.body.error).toContain('persistent_vms[0]')
    expect((await push('not json')).status).toBe(400)
  })

  test('listed programs run without being called; those no longer listed stop', async () => {
    const a = await node.deploy((_request, response) => response.end('a'), { persistent: true })
    const b = await node.deploy((_request, response) => response.end('b'), { persistent: true })
    expect(await push(plan([a, b]))).toMatchObject({
      status: 200,
      body: { success: true, successful: [a, b], failing: [], stopped: [], errors: {} },
    })
    expect(await (await node.call(a)).text()).toBe('a')
    expect(await push(plan([b]))).toMatchObject({ body: { successful: [b], stopped: [a] } })
    expect((await executions())[a]?.running).toBe(false)
    expect((await executions())[b]).toMatchObject({ running: true, allocation: { state: 'running' } })
  })

  test('some that cannot start make it a 207, all of them a 503, each with its reason', async () => {
    const good = await node.deploy((_request, response) => response.end('x'), { persistent: true })
    const bad = await node.deploy({ fails: 'exits', code: 3 }, { persistent: true })
    const unknown = '12'.repeat(32)
    const some = await push(plan([good, bad, unknown]))
    expect(some).toMatchObject({
      status: 207,
      body: { success: false, successful: [good], failing: [bad, unknown] },
    })
    const errors = some.body.errors as Record<string, string>
    expect(errors[bad]).toContain('program_failed')
    expect(errors[unknown]).toContain('message_not_found')
    expect((await push(plan([bad]))).status).toBe(503)
    expect((await push(plan([], { instances: [unknown] }))).body).toMatchObject({ failing: [unknown] })
  })

  test('a planned program that dies is started again', async () => {
    const hash = await node.deploy((_request, response) => response.end('alive'), { persistent: true })
    await push(plan([hash]))
    node.hypervisor.crash(hash)
    await eventually(async () => (await executions())[hash]?.running === false)
    await eventually(async () => (await executions())[hash]?.running === true)
  })

  test('a planned program that keeps failing is tried with growing pauses, and its state says so', async () => {
    const hash = await node.deploy({ fails: 'exits', code: 1 }, { persistent: true })
    await push(plan([hash]))
    const state = async () => (await executions())[hash]?.allocation
    expect(await state()).toMatchObject({ state: 'failed', attempts: 1, error: { code: 'program_failed' } })
    await eventually(async () => (await state())?.attempts === 2)
    await eventually(async () => (await state())?.state === 'failed')
    const execution = (await executions())[hash]
    const failedAt = Date.parse(execution?.status.stopped_at ?? '')
    const pause = Date.parse(execution?.allocation?.next_retry_at ?? '') - failedAt
    expect(pause).toBeGreaterThan(3_000)
    node.programs.set(hash, (_request, response) => response.end('mended'))
    await expect.poll(async () => (await state())?.state, { timeout: 10_000 }).toBe('running')
    expect(await (await node.call(hash)).text()).toBe('mended')
  })

  test('the plan outlives a restart of the node', async () => {
    const hash = await node.deploy((_request, response) => response.end('x'), { persistent: true })
    await push(plan([hash]))
    const before = node.hypervisor.machineCount
    await node.restart()
    await eventually(async () => (await executions())[hash]?.allocation?.state === 'running')
    expect(node.hypervisor.machineCount).toBe(before)
  })

  test('on-demand programs are fetched ahead and start with their first call', async () => {
    const hash = await node.deploy((_request, response) => response.end('on demand'))
    const { content } = node.core.messages.get(hash)!
    const { ref } = content.code as { ref: string }
    await push(plan([], { on_demand_vms: [hash], jobs: null }))
    await eventually(() => node.core.requests.some((request) => request.includes(hash)))
    await eventually(() => node.core.requests.some((request) => request.includes(ref)))
    expect((await executions())[hash]).toMatchObject({ running: false, allocation: { state: 'planned' } })
    expect(node.starts).not.toContain(hash)
    expect(await (await node.call(hash)).text()).toBe('on demand')
  })
})

describe('idle programs', () => {
  test('an on-demand program stops when nobody calls it, a planned one does not', async () => {
    await using impatient = await TestNode.start({
      environment: { ALEPH_VM_REUSE_TIMEOUT: '0', ALEPH_VM_AUTHORIZED_ALLOCATION_SIGNERS: scheduler.address },
    })
    const planned = await impatient.deploy((_request, response) => response.end('p'), { persistent: true })
    const onDemand = await impatient.deploy((_request, response) => response.end('d'))
    await push(plan([planned]), { url: impatient.url })
    await impatient.call(planned)
    await impatient.call(onDemand)
    await eventually(() => impatient.hypervisor.machineCount === 1)
    expect(await (await impatient.call(planned)).text()).toBe('p')
    expect(await (await impatient.call(onDemand)).text()).toBe('d')
  })

  test('when the node is full, the longest idle program gives way; busy and planned ones do not', async () => {
    await using small = await TestNode.start({
      environment: { ALEPH_VM_VCPUS: '2', ALEPH_VM_AUTHORIZED_ALLOCATION_SIGNERS: scheduler.address },
    })
    const answer = (_request: unknown, response: { end(text: string): void }) => response.end('ok')
    const [a, b, c] = [await small.deploy(answer), await small.deploy(answer), await small.deploy(answer)]
    for (const hash of [a, b, c]) expect((await small.call(hash)).status).toBe(200)
    expect(small.hypervisor.machineCount).toBe(2)
    await push(plan([b, c]), { url: small.url })
    const full = await small.call(a)
    expect(full.status).toBe(503)
    expect(full.headers.get('retry-after')).toBe('30')
    expect(await full.json()).toMatchObject({ code: 'insufficient_capacity' })
  })
})
