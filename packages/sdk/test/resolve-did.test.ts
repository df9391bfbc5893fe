import { Resolver } from 'did-resolver'
import { expect, it } from 'vitest'
import { AlephClient, createDidResolver, EthereumAccount, resolveDid } from '../src/index.ts'
import { FakeNode, json } from './fake-node.ts'

const { address } = EthereumAccount.fromPrivateKey('33'.repeat(32))
const { address: delegate } = EthereumAccount.fromPrivateKey('44'.repeat(32))
const did = `did:pkh:eip155:1:${address}`

it('a DID resolves through the did-resolver library, to the account and its delegates', async () => {
  const security = { authorizations: [{ address: delegate, types: ['POST'] }] }
  await using node = await FakeNode.create({
    [`GET /api/v0/aggregates/${address}.json`]: json(200, { address, data: { security } }),
  })
  const resolver = new Resolver(createDidResolver(new AlephClient({ apiUrl: node.url }).context))
  const result = await resolver.resolve(did)
  expect(result.didResolutionMetadata).toEqual({ contentType: 'application/did+ld+json' })
  expect(result.didDocument).toMatchObject({
    id: did,
    verificationMethod: [
      { controller: did },
      { controller: `did:pkh:eip155:1:${delegate}`, alephAuthorization: { types: ['POST'] } },
    ],
  })
})

it('an account without delegates has a document all the same, and one DID that stands for all', async () => {
  await using node = await FakeNode.create({ 'GET /': json(404, {}) })
  const { context } = new AlephClient({ apiUrl: node.url })
  const result = await resolveDid(context, did.toLowerCase())
  expect(result.didDocument).toMatchObject({ id: did.toLowerCase(), authentication: [expect.any(String)] })
  expect(result.didDocumentMetadata).toEqual({ canonicalId: did })
})

it('what cannot be resolved is told in the result', async () => {
  await using node = await FakeNode.create({ 'GET /': json(400, {}) })
  const { context } = new AlephClient({ apiUrl: node.url })
  const error = async (text: string) => (await resolveDid(context, text)).didResolutionMetadata.error
  expect(await error('did:pkh:nonsense')).toBe('invalidDid')
  expect(await error(`did:pkh:eip155:42220:${address}`)).toBe('notFound')
  expect(await error(did)).toBe('internalError')
})
