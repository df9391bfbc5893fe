import { once } from 'node:events'
import { request } from 'node:http'
import { signAllocationRequest } from '@aleph-ts/protocol'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { testAccount } from '../../src/testing/fake-core-node.ts'
import { eventually, TestNode } from './test-node.ts'

const scheduler = testAccount()
let node: TestNode
let lastTime = Math.floor(Date.now() / 1000)

beforeAll(async () => {
  node = await TestNode.start({
    environment: {
      ALEPH_VM_AUTHORIZED_ALLOCATION_SIGNERS: scheduler.address,
      ALEPH_VM_MEMORY_MB: '1000',
    },
  })
})
afterAll(() => node[Symbol.asyncDispose]())

async function push(path: string, content: object) {
  const body = Buffer.from(JSON.stringify(content))
  const { privateKey } = scheduler
  const authorization = signAllocationRequest({ method: 'POST', path, body, iat: lastTime--, privateKey })
  const response = await fetch(`${node.url}${path}`, { method: 'POST', body, headers: { authorization } })
  return { status: response.status, body: (await response.json()) as Record<string, unknown> }
}

const plan = (...vms: { item_hash: string; message?: unknown }[]) => push('/v2/control/allocations', { vms })
const running = async (hash: string) => {
  const list = await (await fetch(`${node.url}/v2/about/executions/list`)).json()
  return (list as Record<string, { running: boolean }>)[hash]?.running ?? false
}
const greeting = (_request: unknown, response: { end(text: string): void }) => response.end('hello')

test('what a plan names comes to run in the background; what it no longer names goes', async () => {
  const hash = await node.deploy(greeting, { persistent: true })
  const first = await plan({ item_hash: hash })
  expect(first).toMatchObject({
    status: 202,
    body: {
      plan_id: expect.stringMatching(/^sha256:[0-9a-f]{64}$/),
      accepted: [hash],
      pending: [],
      unchanged: [],
      removing: [],
      rejected: {},
      retained: {},
      status_url: '/v2/about/executions/list',
    },
  })
  await eventually(() => running(hash))
  expect((await plan({ item_hash: hash })).body).toMatchObject({ accepted: [], unchanged: [hash] })
  expect((await plan()).body).toMatchObject({ removing: [hash] })
  await eventually(async () => !(await running(hash)))
})

test('a message that comes with the plan needs no core node; a forged one is rejected', async () => {
  const hash = await node.deploy(greeting, { persistent: true })
  const known = node.core.messages.get(hash)
  node.core.messages.delete(hash)
  const message = known?.message
  expect((await plan({ item_hash: hash, message })).body).toMatchObject({ accepted: [hash] })
  await eventually(() => running(hash))
  const other = await node.deploy(greeting, { persistent: true })
  const forged = { ...node.core.messages.get(other)?.message, sender: testAccount().address }
  expect((await plan({ item_hash: other, message: forged })).body).toMatchObject({
    accepted: [],
    rejected: { [other]: { code: 'invalid_message' } },
  })
})

test('a message no core node has yet is pending', async () => {
  const hash = 'ab'.repeat(32)
  expect((await plan({ item_hash: hash })).body).toMatchObject({
    accepted: [],
    pending: [hash],
    rejected: {},
  })
})

test('an older scheduler cannot undo the plan, not even after a restart', async () => {
  await plan()
  const older = { status: 409, body: { success: false, code: 'governed_by_v2_plan' } }
  expect(await push('/control/allocations', { persistent_vms: [], instances: [] })).toMatchObject(older)
  await node.restart()
  expect(await push('/control/allocations', { persistent_vms: [], instances: [] })).toMatchObject(older)
})

test('programs in use by their first call are retained', async () => {
  const hash = await node.deploy(greeting)
  await node.call(hash)
  expect((await plan()).body).toMatchObject({ retained: { [hash]: 'non_persistent' }, removing: [] })
  expect(await running(hash)).toBe(true)
})

test('a capacity check counts all of a plan together and starts nothing', async () => {
  const hungry = { resources: { vcpus: 1, memory: 600, seconds: 5 } }
  const one = await node.deploy(greeting, { persistent: true, extra: hungry })
  const two = await node.deploy(greeting, { persistent: true, extra: hungry })
  const vms = [{ item_hash: one }, { item_hash: two }]
  const { body } = await push('/v2/control/capacity/check', { vms })
  const accepted = Object.values(body.results as Record<string, { accepted: boolean; code?: string }>)
  expect(accepted.filter((result) => result.accepted)).toHaveLength(1)
  expect(accepted.find((result) => !result.accepted)?.code).toBe('insufficient_capacity')
  expect(body.capacity).toMatchObject({ memory_mib: { total: 1000 } })
  expect(await running(one)).toBe(false)
})

test('only a scheduler may send one', async () => {
  for (const path of ['/v2/control/allocations', '/v2/control/capacity/check', '/control/network/recreate']) {
    const response = await fetch(`${node.url}${path}`, { method: 'POST', body: '{"vms":[]}' })
    expect([response.status, await response.json()]).toEqual([
      401,
      expect.objectContaining({ error: 'Authentication token received is invalid' }),
    ])
  }
})

test('a plan may bring along messages of more than a megabyte; of one beyond eight only a scheduler is told', async () => {
  const path = '/v2/control/allocations'
  const padding = 'x'.repeat(2 * 1024 * 1024)
  expect(await push(path, { vms: [], padding })).toMatchObject({ status: 202 })
  const huge = Buffer.from(JSON.stringify({ vms: [], padding: padding.repeat(4) }))
  const send = async ({ privateKey } = scheduler) => {
    const authorization = signAllocationRequest({
      method: 'POST',
      path,
      body: huge,
      iat: lastTime--,
      privateKey,
    })
    const asked = request(`${node.url}${path}`, {
      method: 'POST',
      headers: { authorization, 'content-length': huge.length },
    })
    // Only the head: the answer does not wait for the body.
    asked.flushHeaders()
    const [response] = await once(asked, 'response')
    response.resume()
    asked.on('error', () => undefined).destroy()
    return response.statusCode
  }
  expect([await send(), await send(testAccount())]).toEqual([413, 401])
})
