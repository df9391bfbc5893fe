import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import { TestNode } from './test-node.ts'

const secret = 'the secret of an older scheduler'
const tokenHash = createHash('sha256').update(secret).digest('hex')

function push(node: TestNode, headers: Record<string, string>, path = '/control/allocations') {
  const body = JSON.stringify({ persistent_vms: [], instances: [], vms: [] })
  return fetch(`${node.url}${path}`, { method: 'POST', body, headers })
}

test('the secret of an older scheduler opens nothing unless the operator set its hash', async () => {
  await using node = await TestNode.start()
  expect((await push(node, { 'x-auth-signature': secret })).status).toBe(401)
})

test('with its hash set, the secret lets an older scheduler allocate, and another one does not', async () => {
  await using node = await TestNode.start({ environment: { ALEPH_VM_ALLOCATION_TOKEN_HASH: tokenHash } })
  expect((await push(node, { 'x-auth-signature': secret })).status).toBe(200)
  expect((await push(node, { 'x-auth-signature': tokenHash })).status).toBe(401)
})

test('the secret is no way around a signature that is wrong, nor to plans of version 2', async () => {
  await using node = await TestNode.start({ environment: { ALEPH_VM_ALLOCATION_TOKEN_HASH: tokenHash } })
  const both = { 'x-auth-signature': secret, authorization: 'Aleph-EIP191-V1 sig=00,payload=00' }
  expect((await push(node, both)).status).toBe(401)
  expect((await push(node, { 'x-auth-signature': secret }, '/v2/control/allocations')).status).toBe(401)
})
