import { type Chain, verifySignature } from '@aleph-ts/protocol'
import { describe, expect, it } from 'vitest'
import { buildPost } from '../message/build-post.ts'
import { signMessage } from '../message/sign-message.ts'
import type { Account } from './account.ts'
import { AvalancheAccount } from './avalanche-account.ts'
import { CosmosAccount } from './cosmos-account.ts'
import { NeoAccount } from './neo-account.ts'
import { Nuls2Account, NulsAccount } from './nuls-account.ts'
import { SubstrateAccount } from './substrate-account.ts'
import { TezosAccount } from './tezos-account.ts'

const key = '33'.repeat(32)

const kinds: [string, Chain, RegExp, () => Account][] = [
  ['Avalanche', 'AVAX', /^X-avax1/, () => AvalancheAccount.fromPrivateKey(key)],
  ['Avalanche P', 'AVAX', /^P-avax1/, () => AvalancheAccount.fromPrivateKey(key, { addressOn: 'P' })],
  ['Cosmos', 'CSDK', /^cosmos1/, () => CosmosAccount.fromPrivateKey(key)],
  ['Osmosis', 'CSDK', /^osmo1/, () => CosmosAccount.fromPrivateKey(key, { prefix: 'osmo' })],
  ['Substrate', 'DOT', /^5/, () => SubstrateAccount.fromSeed(key)],
  ['Polkadot', 'DOT', /^1/, () => SubstrateAccount.fromSeed(key, { network: 0 })],
  ['Tezos', 'TEZOS', /^tz1/, () => TezosAccount.fromPrivateKey(key)],
  ['Tezos tz2', 'TEZOS', /^tz2/, () => TezosAccount.fromPrivateKey(key, { curve: 'secp256k1' })],
  ['Tezos tz3', 'TEZOS', /^tz3/, () => TezosAccount.fromPrivateKey(key, { curve: 'p256' })],
  ['Tezos wallet', 'TEZOS', /^tz1/, () => TezosAccount.fromPrivateKey(key, { dAppUrl: 'example.org' })],
  ['NULS 2', 'NULS2', /^NULSd/, () => Nuls2Account.fromPrivateKey(key)],
  ['NULS 2 test', 'NULS2', /^tNULSe/, () => Nuls2Account.fromPrivateKey(key, { network: 'test' })],
  ['NULS', 'NULS', /^Ns/, () => NulsAccount.fromPrivateKey(key)],
  ['NEO', 'NEO', /^A/, () => NeoAccount.fromPrivateKey(key)],
]

describe.each(kinds)('%s accounts', (_name, chain, address, create) => {
  it('sign messages that every node takes for theirs', async () => {
    const account = create()
    expect(account.chain).toBe(chain)
    expect(account.address).toMatch(address)
    const { envelope } = await signMessage(buildPost({ postType: 'n', content: 1 }, { account }), account)
    expect(envelope).toMatchObject({ chain, sender: account.address })
    expect(verifySignature(envelope)).toBe(true)
  })

  it('say that compute nodes take no sessions of theirs', async () => {
    await expect(create().signOperatorPayload(new Uint8Array())).rejects.toMatchObject({
      code: 'invalid_argument',
    })
  })
})

it('new accounts come back from their key, on every chain', () => {
  const classes = [AvalancheAccount, CosmosAccount, TezosAccount, Nuls2Account, NulsAccount, NeoAccount]
  for (const kind of classes) {
    const { account, privateKey } = kind.generate()
    expect(kind.fromPrivateKey(privateKey).address).toBe(account.address)
  }
  const { account, privateKey } = SubstrateAccount.generate()
  expect(SubstrateAccount.fromSeed(privateKey).address).toBe(account.address)
})

it('a Tezos key as wallets export it names its own curve', () => {
  const alice = 'edsk3QoqBuvdamxouPhin7swCvkQNgq4jP5KZPbwWNnwdZpSpJiEbq'
  expect(TezosAccount.fromPrivateKey(alice).address).toBe('tz1VSUr8wwNhLAzempoch5d6hLRiTh8Cjcjb')
})

it('what cannot be is refused, and the error does not repeat the key', () => {
  const invalid = { code: 'invalid_argument' }
  const matching = expect.objectContaining(invalid)
  expect(() => NeoAccount.fromPrivateKey('00'.repeat(32))).toThrow(matching)
  expect(() => TezosAccount.fromPrivateKey('ff'.repeat(32), { curve: 'p256' })).toThrow(matching)
  expect(() => TezosAccount.fromPrivateKey('edsksecret')).toThrow(matching)
  expect(() => TezosAccount.fromPrivateKey('edsksecret')).not.toThrow(/secret/)
  expect(() => CosmosAccount.fromPrivateKey(key, { prefix: 'COSMOS1' })).toThrow(matching)
  expect(() => SubstrateAccount.fromSeed(key, { network: 20_000 })).toThrow(matching)
})
