import { describe, expect, it } from 'vitest'
import { sha256Hex } from '../hash/sha256.ts'
import { evmAddress } from '../identity/evm.ts'
import {
  AllocationAuthError,
  type AllocationVerification,
  allocationPayload,
  signAllocationRequest,
  verifyAllocationRequest,
} from './allocation-auth.ts'

const privateKey = new Uint8Array(32).fill(7)
const iat = 1_767_225_600
const request = {
  method: 'POST',
  path: '/control/allocations',
  body: new TextEncoder().encode('{"persistent_vms":[],"instances":[]}'),
}
const authorization = signAllocationRequest({ ...request, iat, privateKey })
const received: AllocationVerification = {
  ...request,
  authorization,
  query: '',
  now: iat,
  isSigner: (address) => address === evmAddress(privateKey),
}

function codeOf(change: Partial<AllocationVerification>): string {
  try {
    verifyAllocationRequest({ ...received, ...change })
    return 'accepted'
  } catch (error) {
    if (!(error instanceof AllocationAuthError)) throw error
    return error.code
  }
}

describe('a signed allocation request', () => {
  it('signs the published canonical payload', () => {
    const payload = allocationPayload({ ...request, iat })
    expect(payload).toHaveLength(145)
    expect(sha256Hex(payload)).toBe('85ac21c7a5b7f357d4615ccf96e6d75597b461774d282f54e562465ec47b68f9')
  })

  it('is believed from a signer, who is named together with what to remember against replay', () => {
    expect(verifyAllocationRequest(received)).toEqual({
      signer: evmAddress(privateKey),
      payloadHash: '85ac21c7a5b7f357d4615ccf96e6d75597b461774d282f54e562465ec47b68f9',
      bodySha256: 'bacd7df6b15d098133e2be8734567cbc6afa46d721c3147cac915c63664cc5e8',
    })
  })

  it('may come 300 seconds early or late, not more', () => {
    expect(codeOf({ now: iat + 300 })).toBe('accepted')
    expect(codeOf({ now: iat - 300 })).toBe('accepted')
    expect(codeOf({ now: iat + 301 })).toBe('expired')
    expect(codeOf({ now: iat - 301 })).toBe('expired')
  })

  it('is only good for its method, path and body, without a query', () => {
    expect(codeOf({ method: 'PUT' })).toBe('wrong_target')
    expect(codeOf({ path: '/control/other' })).toBe('wrong_target')
    expect(codeOf({ query: 'a=1' })).toBe('wrong_target')
    expect(codeOf({ body: new Uint8Array() })).toBe('body_mismatch')
    expect(codeOf({ body: new Uint8Array(1024 * 1024 + 1) })).toBe('body_too_large')
  })

  it('is refused from anybody else', () => {
    expect(codeOf({ isSigner: () => false })).toBe('unknown_signer')
  })

  it('may name the scheme in any case and put the parameters in any order', () => {
    const [, sig, payload] = /sig=(\S+),payload=(\S+)/.exec(authorization)!
    expect(codeOf({ authorization: `aleph-eip191-v1 payload=0x${payload}, sig=${sig}` })).toBe('accepted')
  })

  it.each([
    ['nothing', ''],
    ['another scheme', 'Bearer abc'],
    ['no payload', 'Aleph-EIP191-V1 sig=0x00'],
    ['an unknown parameter', `${authorization},x=1`],
    ['a parameter twice', `${authorization},sig=0x00`],
    ['a payload that is not hex', 'Aleph-EIP191-V1 sig=0x00,payload=zz'],
    ['a payload that is not JSON', 'Aleph-EIP191-V1 sig=0x00,payload=00'],
    ['a payload that is a list', 'Aleph-EIP191-V1 sig=0x00,payload=5b5d'],
    ['an endless header', `Aleph-EIP191-V1 ${'a'.repeat(10_000)}`],
  ])('with %s is malformed', (_, header) => {
    expect(codeOf({ authorization: header })).toBe('malformed')
  })

  it('whose signature is not one is refused', () => {
    expect(codeOf({ authorization: authorization.replace(/sig=\w+/, 'sig=0x1234') })).toBe('bad_signature')
  })
})
