import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  addressOfPrivateKey,
  avalancheAddress,
  type Chain,
  canonicalSignature,
  chainCodes,
  cosmosAddress,
  decodeSs58,
  decodeTezosPrivateKey,
  type Envelope,
  encodeSs58,
  encodeTezosPrivateKey,
  evmAddress,
  generatePrivateKey,
  isAddress,
  isChainVerifiable,
  isPrivateKey,
  neoAddress,
  nuls2Address,
  nulsAddress,
  signEnvelope,
  signTezos,
  solanaAddress,
  substrateAddress,
  tezosAddress,
  verificationBuffer,
  verifySignature,
} from '../src/index.ts'

const key = Buffer.from('ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80', 'hex')

/** An account of every kind that can sign. */
const accounts: { kind: string; chain: Chain; address: string }[] = [
  { kind: 'EVM', chain: 'BASE', address: evmAddress(key) },
  { kind: 'Solana', chain: 'SOL', address: solanaAddress(key) },
  { kind: 'Eclipse', chain: 'ES', address: solanaAddress(key) },
  { kind: 'Avalanche X', chain: 'AVAX', address: avalancheAddress(key) },
  { kind: 'Avalanche P', chain: 'AVAX', address: avalancheAddress(key, 'P') },
  { kind: 'Avalanche C', chain: 'AVAX', address: avalancheAddress(key, 'C') },
  { kind: 'Cosmos', chain: 'CSDK', address: cosmosAddress(key) },
  { kind: 'Osmosis', chain: 'CSDK', address: cosmosAddress(key, 'osmo') },
  { kind: 'Substrate', chain: 'DOT', address: substrateAddress(key) },
  { kind: 'Polkadot', chain: 'DOT', address: substrateAddress(key, 0) },
  { kind: 'Tezos tz1', chain: 'TEZOS', address: tezosAddress(key) },
  { kind: 'Tezos tz2', chain: 'TEZOS', address: tezosAddress(key, 'secp256k1') },
  { kind: 'Tezos tz3', chain: 'TEZOS', address: tezosAddress(key, 'p256') },
  { kind: 'NULS', chain: 'NULS', address: nulsAddress(key) },
  { kind: 'NULS test', chain: 'NULS', address: nulsAddress(key, 261) },
  { kind: 'NULS 2', chain: 'NULS2', address: nuls2Address(key) },
  { kind: 'NULS 2 test', chain: 'NULS2', address: nuls2Address(key, 'test') },
  { kind: 'NEO 2', chain: 'NEO', address: neoAddress(key) },
  { kind: 'NEO as EVM', chain: 'NEO', address: evmAddress(key) },
]

function unsigned(sender: string, chain: Chain): Omit<Envelope, 'signature'> {
  return {
    sender,
    chain,
    type: 'POST',
    item_type: 'storage',
    item_hash: 'a'.repeat(64),
    item_content: null,
    time: 1_780_000_000.029,
    channel: null,
  }
}

describe('a key has the address that its wallet shows', () => {
  it('on Substrate', () => {
    const alice = Buffer.from('e5be9a5092b81bca64be81d212e7f2f9eba183bb7a90954f7b76361f6edb5c0a', 'hex')
    expect(substrateAddress(alice)).toBe('5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY')
    expect(substrateAddress(alice, 0)).toBe('15oF4uVJwmo4TdGW7VfQxNLavjCXviqxT9S1MgbjMNHr6Sp5')
  })

  it('on Tezos, and its text names the curve', () => {
    const alice = decodeTezosPrivateKey('edsk3QoqBuvdamxouPhin7swCvkQNgq4jP5KZPbwWNnwdZpSpJiEbq')!
    expect(tezosAddress(alice.privateKey, alice.curve)).toBe('tz1VSUr8wwNhLAzempoch5d6hLRiTh8Cjcjb')
    for (const curve of ['ed25519', 'secp256k1', 'p256'] as const) {
      const text = encodeTezosPrivateKey(curve, key)
      expect(text).toMatch({ ed25519: /^edsk/, secp256k1: /^spsk/, p256: /^p2sk/ }[curve])
      expect(decodeTezosPrivateKey(text)).toMatchObject({ curve, privateKey: new Uint8Array(key) })
    }
  })

  it('on Substrate networks of one and of two bytes', () => {
    fc.assert(
      fc.property(fc.nat(16383), fc.uint8Array({ minLength: 32, maxLength: 32 }), (network, publicKey) => {
        expect(decodeSs58(encodeSs58(publicKey, network))).toEqual({ network, publicKey })
      }),
      { numRuns: 50 },
    )
  })

  it('and only that: a letter changed is no address', () => {
    for (const { chain, address } of accounts) {
      expect(isAddress(chain, address), address).toBe(true)
      expect(isAddress(chain, `${address}q`), address).toBe(false)
      expect(isAddress(chain, ''), chain).toBe(false)
    }
  })
})

describe('new keys', () => {
  it.each(chainCodes.filter(isChainVerifiable))('of %s sign messages that verify', (chain) => {
    const privateKey = generatePrivateKey(chain)
    const address = addressOfPrivateKey(chain, privateKey)
    expect(isPrivateKey(chain, privateKey)).toBe(true)
    expect(isAddress(chain, address)).toBe(true)
    expect(verifySignature(signEnvelope(unsigned(address, chain), privateKey))).toBe(true)
  })

  it('are not made for chains whose signatures are not taken', () => {
    expect(() => generatePrivateKey('STT')).toThrow(/signatures of STT/)
    expect(isAddress('STT', evmAddress(key))).toBe(false)
  })

  it('zero is none where keys are numbers', () => {
    expect(isPrivateKey('ETH', new Uint8Array(32))).toBe(false)
    expect(isPrivateKey('NEO', new Uint8Array(32))).toBe(false)
    expect(isPrivateKey('SOL', new Uint8Array(31))).toBe(false)
    expect(() => neoAddress(new Uint8Array(32))).toThrow(/P-256/)
    expect(() => tezosAddress(new Uint8Array(32), 'secp256k1')).toThrow(/secp256k1/)
  })
})

describe.each(accounts)('a signature of $kind', ({ chain, address }) => {
  const signed = signEnvelope(unsigned(address, chain), key)

  it('verifies, and for no other message or sender', () => {
    expect(verifySignature(signed)).toBe(true)
    expect(verifySignature({ ...signed, item_hash: 'b'.repeat(64) })).toBe(false)
    expect(verifySignature({ ...signed, type: 'AGGREGATE' })).toBe(false)
    const other = signEnvelope(unsigned(address, chain), Buffer.alloc(32, 7))
    expect(verifySignature({ ...signed, signature: other.signature })).toBe(false)
  })

  it('is made in the form it is stored in', () => {
    expect(canonicalSignature(chain, signed.signature!)).toBe(signed.signature)
  })

  it('never verifies when damaged, and never throws', () => {
    fc.assert(
      fc.property(damage(signed.signature!), damage(address), fc.boolean(), (signature, sender, both) => {
        const stored = canonicalSignature(chain, signed.signature!)
        if (canonicalSignature(chain, signature) !== stored) {
          expect(verifySignature({ ...signed, signature })).toBe(false)
        }
        const message = { ...signed, sender, signature: both ? signature : signed.signature }
        if (sender.toLowerCase() !== address.toLowerCase()) expect(verifySignature(message)).toBe(false)
      }),
      { numRuns: 40 },
    )
  })
})

/** Text with one character changed, left out or doubled, cut short, or something else altogether. */
function damage(text: string): fc.Arbitrary<string> {
  const at = fc.nat(text.length - 1)
  return fc.oneof(
    { weight: 4, arbitrary: fc.tuple(at, fc.string({ minLength: 0, maxLength: 2 })).map(splice) },
    { weight: 1, arbitrary: at.map((end) => text.slice(0, end)) },
    { weight: 1, arbitrary: fc.string({ unit: 'binary' }) },
    { weight: 1, arbitrary: fc.json() },
    { weight: 1, arbitrary: fc.constantFrom(...accounts.map((account) => account.address)) },
  )

  function splice([index, inserted]: [number, string]): string {
    return text.slice(0, index) + inserted + text.slice(index + 1)
  }
}

describe('Micheline signatures of Tezos', () => {
  const sender = tezosAddress(key)
  const message = unsigned(sender, 'TEZOS')
  const buffer = verificationBuffer(message)

  it('cover the time, to the millisecond', () => {
    const { time } = message
    for (const dAppUrl of [undefined, 'aleph.im', 'https://example.org']) {
      const signature = signTezos(buffer, key, 'ed25519', { signingType: 'micheline', time, dAppUrl })
      expect(verifySignature({ ...message, signature })).toBe(true)
      expect(verifySignature({ ...message, signature, time: time + 0.001 })).toBe(false)
      expect(verifySignature({ ...message, signature, time: undefined })).toBe(false)
      expect(canonicalSignature('TEZOS', signature)).toBe(signature)
    }
  })

  it('of a time that is no date are refused, or not made', () => {
    const signature = signTezos(buffer, key, 'ed25519', { signingType: 'micheline', time: 0 })
    for (const time of [Number.NaN, Number.POSITIVE_INFINITY, 1e300, -1e300]) {
      expect(verifySignature({ ...message, signature, time })).toBe(false)
      expect(() => signTezos(buffer, key, 'ed25519', { signingType: 'micheline', time })).toThrow(RangeError)
    }
  })
})
