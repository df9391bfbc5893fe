import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { compressPublicKey } from '../src/identity/ecdsa.ts'
import * as nativeEd25519 from '../src/identity/ed25519.native.ts'
import * as portableEd25519 from '../src/identity/ed25519.portable.ts'
import { verifyEd25519 } from '../src/identity/ed25519.ts'
import * as nativeSecp256k1 from '../src/identity/secp256k1.native.ts'
import * as portableSecp256k1 from '../src/identity/secp256k1.portable.ts'
import {
  addressKey,
  canonicalSignature,
  type Envelope,
  evmAddress,
  personalSign,
  recoverPersonalSign,
  sha256Bytes,
  signEnvelope,
  solanaAddress,
  toChecksumAddress,
  verifySignature,
} from '../src/index.ts'

const key = Buffer.from('ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80', 'hex')
const address = '0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266'

function unsigned(sender: string, chain: Envelope['chain']): Omit<Envelope, 'signature'> {
  return {
    sender,
    chain,
    type: 'POST',
    item_type: 'storage',
    item_hash: 'a'.repeat(64),
    item_content: null,
    time: 1_780_000_000,
    channel: null,
  }
}

const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length })

describe('EVM identities', () => {
  it('have the address wallets show', () => {
    expect(evmAddress(key)).toBe(address)
    expect(toChecksumAddress(address.toLowerCase())).toBe(address)
  })

  it('sign what their address verifies, and nothing else', () => {
    const message = new TextEncoder().encode('hello')
    const signature = personalSign(message, key)
    expect(signature).toMatch(/^0x[0-9a-f]{128}1[bc]$/)
    expect(recoverPersonalSign(message, signature)).toBe(address)
    expect(recoverPersonalSign(new TextEncoder().encode('hallo'), signature)).not.toBe(address)
  })

  it.each(['', '0x', '0x12', `0x${'00'.repeat(65)}`, `0x${'ff'.repeat(65)}`, `0x${'zz'.repeat(65)}`])(
    'text "%s" is no signature',
    (text) => {
      expect(() => recoverPersonalSign(new Uint8Array(), text)).toThrow(TypeError)
      expect(verifySignature({ ...unsigned(address, 'ETH'), signature: text })).toBe(false)
    },
  )

  it('are one key however they are typed and whoever acts for them', () => {
    expect(addressKey('BASE', address.toLowerCase())).toBe(address)
    expect(addressKey('SOL', address.toLowerCase())).toBe(address)
    expect(addressKey('SOL', 'AbC')).toBe('AbC')
    expect(addressKey('ETH', 'VM on executor')).toBe('VM on executor')
  })

  it('have one stored form of a signature however it is written', () => {
    const { signature } = signEnvelope(unsigned(address, 'ETH'), key)
    const bare = signature!.slice(2, -2).toUpperCase()
    const recovery = Number.parseInt(signature!.slice(-2), 16) - 27
    expect(canonicalSignature('ETH', `${bare}0${recovery}`)).toBe(signature)
    expect(canonicalSignature('ETH', 'nonsense')).toBe('nonsense')
  })
})

describe('signing an envelope', () => {
  it.each(['ETH', 'BASE', 'SOL', 'ES'] as const)('on %s makes a signature that verifies', (chain) => {
    const sender = chain === 'SOL' || chain === 'ES' ? solanaAddress(key) : address
    const signed = signEnvelope(unsigned(sender, chain), key)
    expect(verifySignature(signed)).toBe(true)
    expect(verifySignature({ ...signed, item_hash: 'b'.repeat(64) })).toBe(false)
    expect(verifySignature({ ...signed, signature: null })).toBe(false)
  })

  it('for a chain whose signatures the network does not take says so', () => {
    expect(() => signEnvelope(unsigned(address, 'AURORA'), key)).toThrow(/signatures of AURORA/)
  })
})

/** The signature with n − s, which plain ECDSA takes as well. */
function highTwin(signature: Uint8Array): Uint8Array {
  const order = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n
  const s = order - BigInt(`0x${Buffer.from(signature.subarray(32)).toString('hex')}`)
  return Buffer.concat([signature.subarray(0, 32), Buffer.from(s.toString(16).padStart(64, '0'), 'hex')])
}

describe('native and portable code agree', () => {
  const { secp256k1: nativeCurve } = nativeSecp256k1
  const { secp256k1: portableCurve } = portableSecp256k1
  const { ed25519: nativeEdwards } = nativeEd25519
  const { ed25519: portableEdwards } = portableEd25519

  it('on secp256k1 signatures and keys', () => {
    fc.assert(
      fc.property(bytes(32), bytes(32), (seed, digest) => {
        const secret = sha256Bytes(seed)
        const signature = nativeCurve.sign(digest, secret)
        expect(portableCurve.sign(digest, secret)).toEqual(signature)
        expect(portableCurve.publicKey(secret)).toEqual(nativeCurve.publicKey(secret))
        expect(nativeCurve.recover(digest, signature)).toEqual(nativeCurve.publicKey(secret))
        expect(portableCurve.recover(digest, signature)).toEqual(nativeCurve.publicKey(secret))
        const publicKey = nativeCurve.publicKey(secret)
        for (const curve of [nativeCurve, portableCurve]) {
          expect(curve.verify(digest, signature.bytes, publicKey)).toBe(true)
          expect(curve.verify(digest, signature.bytes, compressPublicKey(publicKey))).toBe(true)
          expect(curve.verify(digest, highTwin(signature.bytes), publicKey)).toBe(false)
          expect(curve.verify(digest, signature.bytes, publicKey.slice(0, 33))).toBe(false)
          expect(curve.verify(digest, new Uint8Array(64), publicKey)).toBe(false)
        }
      }),
      { numRuns: 10 },
    )
  })

  it('on what is no secp256k1 signature', () => {
    fc.assert(
      fc.property(bytes(64), bytes(32), fc.constantFrom(0, 1, 2, 3), (random, digest, recovery) => {
        const signature = { bytes: random, recovery }
        expect(portableCurve.recover(digest, signature)).toEqual(nativeCurve.recover(digest, signature))
      }),
      { numRuns: 20 },
    )
    const zero = { bytes: new Uint8Array(64), recovery: 0 }
    expect(portableCurve.recover(new Uint8Array(32), zero)).toBeNull()
    expect(nativeCurve.recover(new Uint8Array(32), zero)).toBeNull()
  })

  it('on Ed25519 signatures and keys, good and damaged', () => {
    fc.assert(
      fc.property(bytes(32), fc.uint8Array({ maxLength: 100 }), fc.nat(63), (secret, message, at) => {
        const publicKey = nativeEdwards.publicKey(secret)
        const signature = nativeEdwards.sign(message, secret)
        expect(portableEdwards.publicKey(secret)).toEqual(publicKey)
        expect(portableEdwards.sign(message, secret)).toEqual(signature)
        expect(portableEdwards.verify(message, signature, publicKey)).toBe(true)
        const damaged = signature.with(at, signature[at]! ^ 1)
        expect(nativeEdwards.verify(message, damaged, publicKey)).toBe(false)
        expect(portableEdwards.verify(message, damaged, publicKey)).toBe(false)
      }),
      { numRuns: 20 },
    )
  })
})

describe('Ed25519 is strict', () => {
  const one = Buffer.from('01'.padEnd(64, '0'), 'hex')

  it('refuses keys of small order, which would "sign" every message', () => {
    const identitySignature = Buffer.concat([one, Buffer.alloc(32)])
    expect(verifyEd25519(Buffer.from('any'), identitySignature, one)).toBe(false)
    const negative = Buffer.from(one)
    negative[31] = 0x80
    expect(verifyEd25519(Buffer.from('any'), identitySignature, negative)).toBe(false)
  })

  it('refuses S that is written with the group order added', () => {
    const order = 2n ** 252n + 27742317777372353535851937790883648493n
    const signature = nativeEd25519.ed25519.sign(Buffer.from('m'), key)
    const s = BigInt(`0x${Buffer.from(signature.subarray(32)).reverse().toString('hex')}`) + order
    const twin = Buffer.concat([
      signature.subarray(0, 32),
      Buffer.from(s.toString(16).padStart(64, '0'), 'hex').reverse(),
    ])
    const publicKey = nativeEd25519.ed25519.publicKey(key)
    expect(verifyEd25519(Buffer.from('m'), signature, publicKey)).toBe(true)
    expect(nativeEd25519.ed25519.verify(Buffer.from('m'), twin, publicKey)).toBe(false)
    expect(portableEd25519.ed25519.verify(Buffer.from('m'), twin, publicKey)).toBe(false)
  })

  it('refuses bytes of the wrong length and keys outside the field', () => {
    expect(verifyEd25519(new Uint8Array(), new Uint8Array(63), new Uint8Array(32))).toBe(false)
    expect(verifyEd25519(new Uint8Array(), new Uint8Array(64).fill(2), new Uint8Array(32).fill(0xff))).toBe(
      false,
    )
  })
})
