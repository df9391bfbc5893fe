import { afterAll, beforeAll, expect, test } from 'vitest'
import { notify, publishInstance, richWorld } from './instance-message.ts'
import { ownerHeaders } from './owner-headers.ts'
import { TestNode } from './test-node.ts'

const nodeHash = 'ab'.repeat(32)
let node: TestNode
let hash: string

beforeAll(async () => {
  node = await TestNode.start({ environment: { ALEPH_VM_NODE_HASH: nodeHash } })
  richWorld(node)
  hash = publishInstance(node, nodeHash)
  expect((await notify(node, hash))[0]).toBe(200)
})
afterAll(() => node[Symbol.asyncDispose]())

async function ask(method: 'GET' | 'POST' | 'DELETE', operation = 'rescue', query = '') {
  const path = `/control/machine/${hash}/${operation}`
  const headers = ownerHeaders(node.core.owner, path, method)
  const response = await fetch(`${node.url}${path}${query}`, { method, headers })
  const text = await response.text()
  return [response.status, text.startsWith('{') ? JSON.parse(text) : text]
}

async function mode(): Promise<string | undefined> {
  const list = await (await fetch(`${node.url}/v2/about/executions/list`)).json()
  return (list as Record<string, { mode: string }>)[hash]?.mode
}

function disks(): string[] {
  return node.hypervisor.shapeOf(hash).disks.map(({ serial }) => serial)
}

test('an instance that is not rescued says so, and a node without an image cannot rescue', async () => {
  expect((await ask('GET'))[0]).toBe(404)
  expect((await ask('DELETE'))[0]).toBe(404)
  expect((await ask('POST'))[0]).toBe(503)
  expect(await mode()).toBe('normal')
})

test('an owner boots another system, finds the root disk as the second one, and goes back', async () => {
  const image = node.core.store(Buffer.alloc(2 * 1024 * 1024, 1))
  expect(await ask('POST', 'rescue', `?item_hash=${image}`)).toEqual([202, { status: 'in_progress' }])
  await expect.poll(async () => (await ask('GET'))[0]).toBe(200)
  expect(await mode()).toBe('rescue')
  expect(disks()).toEqual(['rescue', 'root', 'seed'])

  expect((await ask('POST', 'rescue', `?item_hash=${image}`))[0]).toBe(409)
  expect((await ask('POST', 'erase'))[0]).toBe(409)
  expect((await ask('POST', 'reinstall'))[0]).toBe(409)
  await node.restart()
  expect(await mode()).toBe('rescue')

  expect(await ask('DELETE')).toEqual([200, expect.objectContaining({ status: 'normal' })])
  expect(await mode()).toBe('normal')
  expect(disks()).toEqual(['root', 'seed'])
})

test('an image that cannot be had leaves the instance as it was, with the reason', async () => {
  expect((await ask('POST', 'rescue', `?item_hash=${'cd'.repeat(32)}`))[0]).toBe(202)
  await expect.poll(async () => (await ask('GET'))[0]).toBe(500)
  expect((await ask('GET'))[1]).toMatchObject({ status: 'failed', error: expect.stringContaining('cd') })
  expect(await mode()).toBe('normal')
})
