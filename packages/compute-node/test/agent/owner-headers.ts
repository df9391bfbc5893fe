import { generateKeyPairSync, sign } from 'node:crypto'
import { personalSign } from '@aleph-ts/protocol'
import type { TestAccount } from '../../src/testing/fake-core-node.ts'

const key = generateKeyPairSync('ec', { namedCurve: 'P-256' })

interface Signed {
  payload: string
  signature: string
}

/** The two proofs of an owner's call: the wallet's of the key, and the key's of the operation. */
export function ownerProof(
  account: TestAccount,
  path: string,
  method = 'GET',
  extra: Record<string, string> = {},
): { 'X-SignedPubKey': Signed; 'X-SignedOperation': Signed } {
  const pubkey = key.publicKey.export({ format: 'jwk' })
  const expires = new Date(Date.now() + 60_000).toISOString()
  const vouched = Buffer.from(JSON.stringify({ pubkey, address: account.address, expires }))
  const claims = { time: new Date().toISOString(), method, domain: 'localhost', path, ...extra }
  const operation = Buffer.from(JSON.stringify(claims))
  const signature = sign('sha256', operation, { key: key.privateKey, dsaEncoding: 'ieee-p1363' })
  return {
    'X-SignedPubKey': {
      payload: vouched.toString('hex'),
      signature: personalSign(vouched, account.privateKey),
    },
    'X-SignedOperation': { payload: operation.toString('hex'), signature: signature.toString('hex') },
  }
}

/** The same as headers. */
export function ownerHeaders(
  account: TestAccount,
  path: string,
  method = 'GET',
  extra: Record<string, string> = {},
): Record<string, string> {
  const proof = Object.entries(ownerProof(account, path, method, extra))
  return Object.fromEntries(proof.map(([name, value]) => [name, JSON.stringify(value)]))
}
