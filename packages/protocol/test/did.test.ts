import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  addressOfPrivateKey,
  avalancheAddress,
  type Chain,
  chainCodes,
  chains,
  cosmosAddress,
  DidError,
  didDocument,
  evmAddress,
  formatDid,
  isChainVerifiable,
  nuls2Address,
  nulsAddress,
  parseDid,
  solanaAddress,
  substrateAddress,
  tezosAddress,
} from '../src/index.ts'

const key = Buffer.alloc(32, 7)
const owner = evmAddress(key)
const friend = solanaAddress(key)

describe('every account is a DID', () => {
  it.each(chainCodes.filter(isChainVerifiable))('on %s, and the DID is that account again', (chain) => {
    const address = addressOfPrivateKey(chain, key)
    expect(parseDid(formatDid(chain, address))).toEqual({ chain, address })
  })

  it.each<[Chain, string, string]>([
    ['ETH', owner, 'eip155:1'],
    ['BASE', owner, 'eip155:8453'],
    ['AVAX', owner, 'eip155:43114'],
    ['NEO', owner, 'eip155:1'],
    ['AURORA', owner, 'eip155:1313161554'],
    ['SOL', friend, 'solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp'],
    ['ES', friend, 'solana:EAQLJCV2mh23BsK2P9oYpV5CHVLDNHTx'],
    ['AVAX', avalancheAddress(key), 'avax:imji8papUf2EhV3le337w1vgFauqkJg-'],
    ['AVAX', avalancheAddress(key, 'P'), 'avax:Rr9hnPVPxuUvrdCul-vjEsU1zmqKqRDo'],
    ['CSDK', cosmosAddress(key), 'cosmos:cosmoshub-4'],
    ['CSDK', cosmosAddress(key, 'osmo'), 'cosmos:osmosis-1'],
    ['CSDK', cosmosAddress(key, 'unheardof'), 'cosmos:unheardof'],
    ['DOT', substrateAddress(key), 'polkadot:91b171bb158e2d3848fa23a9f1c25182'],
    ['DOT', substrateAddress(key, 2), 'polkadot:b0a8d493285c2df73290dfb7e61f870f'],
    ['TEZOS', tezosAddress(key), 'tezos:NetXdQprcVkpaWU'],
    ['NULS', nulsAddress(key), 'nuls:8964'],
    ['NULS2', nuls2Address(key, 'test'), 'nuls:2'],
  ])('of %s, %s is on chain %s', (chain, address, chainId) => {
    expect(formatDid(chain, address)).toBe(`did:pkh:${chainId}:${address}`)
  })

  it('no two EVM chains share a chain id', () => {
    const ids = Object.values(chains).flatMap((facts) => ('evmChainId' in facts ? [facts.evmChainId] : []))
    expect(new Set(ids).size).toBe(ids.length)
  })

  it.each([
    ['', 'invalid_did'],
    ['did:web:example.org', 'unsupported_method'],
    ['did:pkh:eip155:1', 'invalid_did'],
    [`did:pkh:eip155:1:${owner}:x`, 'invalid_did'],
    [`did:pkh:eip155:1:${owner}#key`, 'unsupported_chain'],
    [`did:pkh:eip155:42220:${owner}`, 'unsupported_chain'],
    [`did:pkh:solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp:${owner}`, 'unsupported_chain'],
    [`did:pkh:eip155:1:${'0'.repeat(500)}`, 'invalid_did'],
  ])('%s is none', (did, code) => {
    expect(() => parseDid(did)).toThrow(expect.objectContaining({ code }))
  })

  it('any text is a DID or a DidError', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.string().map((text) => `did:pkh:${text}`),
        ),
        (text) => {
          expect(() => parseDid(text)).toThrow(DidError)
        },
      ),
    )
    expect(() => formatDid('ETH', 'VM on executor')).toThrow(DidError)
  })
})

describe('the DID document of an account', () => {
  const id = `did:pkh:eip155:1:${owner}`

  it('names the account as its one verification method', () => {
    expect(didDocument(owner, 'ETH', null)).toEqual({
      '@context': [
        'https://www.w3.org/ns/did/v1',
        {
          blockchainAccountId: 'https://w3id.org/security#blockchainAccountId',
          EcdsaSecp256k1RecoveryMethod2020:
            'https://identity.foundation/EcdsaSecp256k1RecoverySignature2020#EcdsaSecp256k1RecoveryMethod2020',
        },
      ],
      id,
      verificationMethod: [
        {
          id: `${id}#blockchainAccountId`,
          type: 'EcdsaSecp256k1RecoveryMethod2020',
          controller: id,
          blockchainAccountId: `eip155:1:${owner}`,
        },
      ],
      authentication: [`${id}#blockchainAccountId`],
      assertionMethod: [`${id}#blockchainAccountId`],
      capabilityInvocation: [`${id}#blockchainAccountId`],
      capabilityDelegation: [`${id}#blockchainAccountId`],
    })
  })

  it('names its delegates with their limits, for acting with its rights only', () => {
    const security = {
      authorizations: [
        {
          address: friend,
          chain: 'ES',
          types: ['POST'],
          post_types: ['note'],
          channels: [],
          alias: 'friend',
        },
        { address: tezosAddress(key, 'p256'), aggregate_keys: ['profile'] },
      ],
    }
    const document = didDocument(owner, 'ETH', security)
    const delegates = document.verificationMethod.slice(1)
    expect(delegates).toEqual([
      {
        id: `${id}#delegate-1`,
        type: 'Ed25519VerificationKey2018',
        controller: formatDid('ES', friend),
        blockchainAccountId: formatDid('ES', friend).slice('did:pkh:'.length),
        publicKeyBase58: friend,
        alephAuthorization: { chain: 'ES', types: ['POST'], postTypes: ['note'] },
      },
      {
        id: `${id}#delegate-2`,
        type: 'P256PublicKeyBLAKE2BDigestSize20Base58CheckEncoded2021',
        controller: formatDid('TEZOS', tezosAddress(key, 'p256')),
        blockchainAccountId: `tezos:NetXdQprcVkpaWU:${tezosAddress(key, 'p256')}`,
        alephAuthorization: { aggregateKeys: ['profile'] },
      },
    ])
    expect(document.capabilityInvocation).toEqual(document.verificationMethod.map((method) => method.id))
    expect(document.authentication).toEqual([`${id}#blockchainAccountId`])
    expect(document.capabilityDelegation).toEqual([`${id}#blockchainAccountId`])
  })

  it('leaves out entries that never let anybody act', () => {
    const entries = [
      null,
      'text',
      {},
      { address: 7 },
      { address: 'nobody' },
      { address: friend, chain: 'ETH' },
      { address: friend, chain: 'MARS' },
      { address: friend, types: 'POST' },
      { address: friend, channels: [7] },
      { address: owner.toLowerCase() },
    ]
    expect(didDocument(owner, 'ETH', { authorizations: entries }).verificationMethod).toHaveLength(1)
  })

  it('is made of any JSON that stands in the aggregate', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (security) => {
        expect(didDocument(owner, 'ETH', security).id).toBe(id)
        expect(didDocument(owner, 'ETH', { authorizations: security }).id).toBe(id)
      }),
    )
  })
})
