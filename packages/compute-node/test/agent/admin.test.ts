import { once } from 'node:events'
import { request } from 'node:http'
import { text } from 'node:stream/consumers'
import { signAllocationRequest } from '@aleph-ts/protocol'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { testAccount } from '../../src/testing/fake-core-node.ts'
import { TestNode } from './test-node.ts'

const scheduler = testAccount()
const records: Record<string, string> = {}
let node: TestNode

beforeAll(async () => {
  node = await TestNode.start({
    records,
    environment: { ALEPH_VM_AUTHORIZED_ALLOCATION_SIGNERS: scheduler.address },
  })
})
afterAll(() => node[Symbol.asyncDispose]())

let lastTime = Math.floor(Date.now() / 1000)

async function ask(path: string, { privateKey } = scheduler) {
  const body = Buffer.from('')
  const authorization = signAllocationRequest({ method: 'POST', path, body, iat: lastTime--, privateKey })
  const response = await fetch(`${node.url}${path}`, { method: 'POST', body, headers: { authorization } })
  return { status: response.status, body: await response.json() }
}

test.each(['/control/network/recreate', '/control/proxy/regenerate'])(
  '%s is for schedulers only',
  async (path) => {
    expect((await ask(path, testAccount())).status).toBe(401)
    expect((await fetch(`${node.url}${path}`, { method: 'POST', body: '' })).status).toBe(401)
  },
)

test('without taps there is no network to make anew', async () => {
  expect(await ask('/control/network/recreate')).toEqual({
    status: 200,
    body: {
      success: true,
      removed_chains_count: 0,
      removed_chains: [],
      recreated_count: 0,
      failed_count: 0,
      recreated_vms: [],
      failed_vms: [],
    },
  })
})

/** What the node shows under a host name. */
async function page(host: string): Promise<string> {
  const [response] = await once(request(node.url, { headers: { host } }).end(), 'response')
  return text(response)
}

test('a domain that now names another program is followed at once when a scheduler says so', async () => {
  const deploy = (words: string) =>
    node.deploy((_request: unknown, response: { end(text: string): void }) => response.end(words))
  records['_aleph-id.shop.example'] = await deploy('old')
  expect(await page('shop.example')).toBe('old')
  records['_aleph-id.shop.example'] = await deploy('new')
  expect(await page('shop.example')).toBe('old')
  expect(await ask('/control/proxy/regenerate')).toMatchObject({ status: 200, body: { success: true } })
  expect(await page('shop.example')).toBe('new')
})

test('anybody may see which domains lead to instances', async () => {
  const answer = await fetch(`${node.url}/debug/haproxy`)
  expect(await answer.json()).toEqual({ status: 'ok', backends: { http: [], https: [] } })
})
