import { formatDid } from '@aleph-ts/protocol'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Answer, TestNode } from './testing/test-node.ts'
import { newWallet, sign } from './testing/wallet.ts'

let node: TestNode
beforeAll(async () => {
  node = await TestNode.start()
})
afterAll(() => node?.[Symbol.asyncDispose]())

async function resolve(did: string, accept?: string) {
  const headers: Record<string, string> = accept ? { accept } : {}
  const response = await fetch(`${node.node.url}/api/v1/did/${did}`, { headers })
  return {
    status: response.status,
    type: response.headers.get('content-type'),
    body: (await response.json()) as Answer['body'],
  }
}

test('an account is a DID, with the delegates and limits it has set', async () => {
  const [owner, friend] = [newWallet(), newWallet()]
  const authorizations = [{ address: friend.address, types: ['POST'], channels: ['TEST'] }]
  const published = await node.publish(
    sign(owner, 'AGGREGATE', { key: 'security', content: { authorizations } }),
  )
  expect(published.status).toBe(200)
  const did = formatDid('ETH', owner.address)
  const { status, type, body } = await resolve(did)
  expect({ status, type }).toEqual({ status: 200, type: expect.stringMatching(/^application\/did\+json/) })
  expect(body).toMatchObject({
    id: did,
    authentication: [`${did}#blockchainAccountId`],
    verificationMethod: [
      { controller: did },
      {
        controller: formatDid('ETH', friend.address),
        alephAuthorization: { types: ['POST'], channels: ['TEST'] },
      },
    ],
  })
  // The same account, however its address is written, and percent-encoded.
  const lower = await resolve(encodeURIComponent(did.toLowerCase()), 'application/did-resolution')
  expect(lower).toMatchObject({ status: 200, type: expect.stringMatching(/^application\/did-resolution/) })
  expect(lower.body).toMatchObject({
    didDocument: { id: did.toLowerCase(), verificationMethod: [{}, {}] },
    didDocumentMetadata: { canonicalId: did },
  })
})

test('an account that was never seen has a document all the same', async () => {
  const { status, body } = await resolve(formatDid('BASE', newWallet().address))
  expect(status).toBe(200)
  expect(body.verificationMethod).toHaveLength(1)
})

test.each([
  ['nonsense', 400, 'invalidDid'],
  ['did:pkh:eip155:1', 400, 'invalidDid'],
  ['did:pkh:eip155:1:0x%00', 404, 'notFound'],
  [`did:pkh:eip155:42220:0x${'1'.repeat(40)}`, 404, 'notFound'],
  ['did:web:example.org', 501, 'methodNotSupported'],
])('%s cannot be resolved: %i %s', async (did, status, error) => {
  const answer = await resolve(did)
  expect(answer.status).toBe(status)
  expect(answer.body).toMatchObject({ didDocument: null, didResolutionMetadata: { error } })
})

test('the client chooses among the representations, and is told when there is none', async () => {
  const did = formatDid('ETH', newWallet().address)
  const typeFor = async (accept: string) => (await resolve(did, accept)).type
  expect(await typeFor('application/did+ld+json')).toContain('application/did+ld+json')
  expect(await typeFor('text/html;q=0.9, application/*;q=0.1')).toContain('application/did+json')
  expect(await typeFor('application/ld+json;profile="https://w3id.org/did-resolution"')).toContain(
    'application/did-resolution',
  )
  const answer = await resolve(did, 'text/html')
  expect(answer).toMatchObject({
    status: 406,
    body: { didResolutionMetadata: { error: 'representationNotSupported' } },
  })
})
