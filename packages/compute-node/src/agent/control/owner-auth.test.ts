import { createPrivateKey, generateKeyPairSync, randomBytes, sign as signBytes } from 'node:crypto'
import { evmAddress, personalSign, sha256Hex, solanaAddress } from '@aleph-ts/protocol'
import { base58 } from '@scure/base'
import { describe, expect, test } from 'vitest'
import { authenticateOwner, type OwnerRequest } from './owner-auth.ts'

const now = 1_767_225_600
const wallet = randomBytes(32)
const address = evmAddress(wallet)
const ephemeral = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const pubkey = ephemeral.publicKey.export({ format: 'jwk' })
const path = `/control/machine/${'ab'.repeat(32)}/logs`

const iso = (seconds: number) => new Date(seconds * 1000).toISOString()

function keyHeader(changes: object = {}, signature?: string): string {
  const payload = Buffer.from(
    JSON.stringify({ pubkey, alg: 'ECDSA', address, expires: iso(now + 60), ...changes }),
  )
  return JSON.stringify({
    sender: address,
    payload: payload.toString('hex'),
    signature: signature ?? personalSign(payload, wallet),
    content: { domain: 'another.example' },
  })
}

function operationHeader(changes: object = {}, key = ephemeral.privateKey): string {
  const claims = { time: iso(now), method: 'GET', domain: 'crn.example', path, ...changes }
  const payload = Buffer.from(JSON.stringify(claims))
  const signature = signBytes('sha256', payload, { key, dsaEncoding: 'ieee-p1363' }).toString('hex')
  return JSON.stringify({ payload: payload.toString('hex'), signature })
}

function request(changes: Partial<OwnerRequest> = {}): OwnerRequest {
  const headers = { signedPubKey: keyHeader(), signedOperation: operationHeader() }
  const rest = { method: 'GET', path, domain: 'crn.example', query: '', body: '', now, takeNonce: () => true }
  return { ...headers, ...rest, ...changes }
}

function refusal(changes: Partial<OwnerRequest>): string {
  try {
    authenticateOwner(request(changes))
    return 'accepted'
  } catch (error) {
    const { status, message } = error as { status: number; message: string }
    return `${status} ${message}`
  }
}

describe('an owner’s call', () => {
  test('is believed when the wallet vouches for the key that signed it', () => {
    expect(authenticateOwner(request())).toBe(address)
  })

  test('is believed with 0x prefixes, another time format, and a key made for another node', () => {
    const operation = JSON.parse(operationHeader({ time: '2026-01-01T00:00:30.123456+00:00' }))
    const signedOperation = JSON.stringify({ ...operation, signature: `0x${operation.signature}` })
    expect(authenticateOwner(request({ signedOperation }))).toBe(address)
    expect(authenticateOwner(request({ signedPubKey: keyHeader({ domain: 'other.example' }) }))).toBe(address)
  })

  test('may name its query, its body and a nonce, which then hold until it could not come again', () => {
    const taken: unknown[] = []
    const claims = { query: 'erase_volumes=false', body_sha256: sha256Hex('{}'), nonce: 'once' }
    const signedOperation = operationHeader(claims)
    const takeNonce = (...nonce: unknown[]) => taken.push(nonce) > 0
    const changes = { signedOperation, query: 'erase_volumes=false', body: '{}', takeNonce }
    expect(authenticateOwner(request(changes))).toBe(address)
    expect(taken).toEqual([[address, 'once', now + 120]])
  })

  test('is believed from a Solana wallet, which signs the hex text', () => {
    const secret = randomBytes(32)
    const solana = solanaAddress(secret)
    const prefix = Buffer.from('302e020100300506032b657004220420', 'hex')
    const key = createPrivateKey({ key: Buffer.concat([prefix, secret]), format: 'der', type: 'pkcs8' })
    const claims = { pubkey, address: solana, chain: 'SOL', expires: iso(now + 60) }
    const payload = Buffer.from(JSON.stringify(claims)).toString('hex')
    const signature = signBytes(null, Buffer.from(payload, 'ascii'), key).toString('hex')
    expect(authenticateOwner(request({ signedPubKey: JSON.stringify({ payload, signature }) }))).toBe(solana)
    const ofBytes = base58.encode(signBytes(null, Buffer.from(payload, 'hex'), key))
    const rust = JSON.stringify({ payload, signature: { signature: ofBytes, publicKey: solana } })
    expect(authenticateOwner(request({ signedPubKey: rust }))).toBe(solana)
    const wrong = JSON.stringify({ payload, signature: signature.replace(/^../, '00') })
    expect(refusal({ signedPubKey: wrong })).toBe('401 Invalid signature')
  })

  test.each<[string, Partial<OwnerRequest>, string]>([
    ['without a key', { signedPubKey: undefined }, '400 Missing X-SignedPubKey header'],
    ['with a key that is no JSON', { signedPubKey: 'x' }, '400 Invalid X-SignedPubKey format'],
    ['with a key without fields', { signedPubKey: '{}' }, '400 Invalid X-SignedPubKey data'],
    ['with a null key', { signedPubKey: 'null' }, '400 Invalid X-SignedPubKey data'],
    [
      'with a key off the curve',
      { signedPubKey: keyHeader({ pubkey: { ...pubkey, x: 'AAAA' } }) },
      '400 Invalid X-SignedPubKey data',
    ],
    ['of another chain', { signedPubKey: keyHeader({ chain: 'DOT' }) }, '400 Invalid X-SignedPubKey data'],
    [
      'without a timezone',
      { signedPubKey: keyHeader({ expires: '2030-01-01T00:00:00' }) },
      '400 Invalid X-SignedPubKey data',
    ],
    ['with an expired key', { signedPubKey: keyHeader({ expires: iso(now) }) }, '401 Token expired'],
    [
      'with a foreign signature',
      { signedPubKey: keyHeader({}, `0x${'11'.repeat(65)}`) },
      '401 Invalid signature',
    ],
    ['with a short signature', { signedPubKey: keyHeader({}, '0x11') }, '401 Invalid signature'],
    ['without an operation', { signedOperation: undefined }, '400 Missing X-SignedOperation header'],
    ['with an operation that is no JSON', { signedOperation: 'x' }, '400 Invalid X-SignedOperation fields'],
    [
      'too old',
      { signedOperation: operationHeader({ time: iso(now - 121) }) },
      '400 Invalid X-SignedOperation fields',
    ],
    [
      'for another method than known',
      { signedOperation: operationHeader({ method: 'PUT' }) },
      '400 Invalid X-SignedOperation fields',
    ],
    [
      'for another domain',
      { signedOperation: operationHeader({ domain: 'a' }) },
      "401 Invalid domain: Signed: 'a' != Request: 'crn.example'",
    ],
    [
      'for another path',
      { signedOperation: operationHeader({ path: '/x' }) },
      `401 Invalid path. Signed: '/x' !=  requested path: '${path}'`,
    ],
    [
      'for another method',
      { signedOperation: operationHeader({ method: 'POST' }) },
      "401 Invalid method. Signed: 'POST' !=  request:'GET'",
    ],
    [
      'for another query',
      { signedOperation: operationHeader({ query: 'erase_volumes=false' }), query: 'erase_volumes=true' },
      "401 Invalid query. Signed: 'erase_volumes=false' != requested query: 'erase_volumes=true'",
    ],
    [
      'for another body',
      {
        signedOperation: operationHeader({ body_sha256: sha256Hex('{"timeout":0}') }),
        body: '{"timeout":9}',
      },
      '401 Invalid body_sha256: the body is another one',
    ],
    [
      'for the body of an upload',
      { signedOperation: operationHeader({ body_sha256: sha256Hex('disk') }), body: null },
      '401 Invalid body_sha256: uploads cannot be signed',
    ],
    [
      'sent again',
      { signedOperation: operationHeader({ nonce: 'once' }), takeNonce: () => false },
      '401 Invalid nonce: this operation was sent before',
    ],
    [
      'signed by another key',
      { signedOperation: operationHeader({}, generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey) },
      '401 Signature could not verified',
    ],
  ])('%s is refused', (_what, changes, answer) => {
    expect(refusal(changes)).toBe(answer)
  })
})
