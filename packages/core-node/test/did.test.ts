import { formatDid } from '@aleph-ts/protocol'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { TestNode } from './testing/test-node.ts'
import { newWallet, sign } from './testing/wallet.ts'

let node: TestNode

beforeAll(async () => {
  node = await TestNode.start()
})
afterAll(() => node[Symbol.asyncDispose]())

async function get(did: string, accept?: string) {
  const response = await fetch(`${node.node.url}/api/v1/did/${did}`, { headers: accept ? { accept } : {} })
  const type = response.headers.get('content-type') ?? ''
  return {
    status: response.status,
    type, // biome-ignore lint/suspicious/noExplicitAny: tests look into answers freely
    body: (await response.json()) as any,
  }
}

test('every account has a DID document, and those it authorised stand in it with their limits', async () => {
  const [owner, delegate] = [newWallet(), newWallet()]
  const did = formatDid('ETH', owner.address)
  expect(await get(did)).toMatchObject({
    status: 200,
    type: expect.stringContaining('application/did+ld+json'),
    body: { id: did, verificationMethod: [{ controller: did }] },
  })
  const authorizations = [{ address: delegate.address, types: ['POST'], post_types: ['blog'] }]
  await node.publish(sign(owner, 'AGGREGATE', { key: 'security', content: { authorizations } }))
  const { body } = await get(encodeURIComponent(did))
  expect(body.verificationMethod[1]).toMatchObject({
    controller: formatDid('ETH', delegate.address),
    alephAuthorization: { types: ['POST'], postTypes: ['blog'] },
  })
  expect(body.authentication).toHaveLength(1)
  expect(body.capabilityInvocation).toHaveLength(2)
})

test('resolvers get the document with its metadata', async () => {
  const { address } = newWallet()
  const did = formatDid('ETH', address.toLowerCase())
  const { body, type } = await get(did, 'application/did-resolution')
  expect(type).toContain('application/did-resolution')
  expect(body).toMatchObject({
    didDocument: { id: did },
    didDocumentMetadata: { canonicalId: formatDid('ETH', address) },
  })
})

test.each([
  ['nonsense', 400, 'invalidDid'],
  ['did:pkh:nonsense', 400, 'invalidDid'],
  ['did:key:z6Mk', 501, 'methodNotSupported'],
  ['did:pkh:eip155:42220:0x1111111111111111111111111111111111111111', 404, 'notFound'],
])('%s is answered with %i', async (did, status, error) => {
  expect(await get(did)).toMatchObject({ status, body: { code: error, didResolutionMetadata: { error } } })
})
