import { bytesToHex, hexToBytes } from '@noble/hashes/utils.js'
import { sha256Hex } from '../hash/sha256.ts'
import { personalSign, recoverPersonalSign } from '../identity/evm.ts'

const scheme = 'Aleph-EIP191-V1'
const utf8 = new TextEncoder()

/** Bounds of a signed allocation request (protocol 05 §4.4). */
export const allocationAuthLimits = {
  clockSkewSeconds: 300,
  bodyBytes: 1024 * 1024,
  /** Of plans of version 2, which may bring their messages along (protocol 05 §20). */
  planV2BodyBytes: 8 * 1024 * 1024,
  headerCharacters: 8192,
} as const

export type AllocationAuthCode =
  | 'malformed'
  | 'expired'
  | 'wrong_target'
  | 'bad_signature'
  | 'unknown_signer'
  | 'body_too_large'
  | 'body_mismatch'

/**
 * Why a signed allocation request was not believed. For the node's log only: the answer to the caller is always
 * the same 401 (protocol 05 §4.4).
 */
export class AllocationAuthError extends Error {
  override readonly name = 'AllocationAuthError'
  readonly code: AllocationAuthCode

  constructor(code: AllocationAuthCode, message: string) {
    super(message)
    this.code = code
  }
}

export interface AllocationRequest {
  method: string
  path: string
  body: Uint8Array
}

/** The canonical text that is signed: compact JSON with sorted keys. `iat` is in whole epoch seconds. */
export function allocationPayload({ method, path, body, iat }: AllocationRequest & { iat: number }): string {
  return JSON.stringify({ body_sha256: sha256Hex(body), iat, method, path })
}

/**
 * The value of the `Authorization` header that lets a scheduler command a compute node (protocol 05 §4.4).
 *
 * @param request.iat whole epoch seconds, now.
 */
export function signAllocationRequest(
  request: AllocationRequest & { iat: number; privateKey: Uint8Array },
): string {
  const payload = utf8.encode(allocationPayload({ ...request, iat: Math.floor(request.iat) }))
  return `${scheme} sig=${personalSign(payload, request.privateKey)},payload=${bytesToHex(payload)}`
}

/** What of a signed allocation request is there before its body. */
export interface AllocationHead {
  method: string
  path: string
  authorization: string
  /** Query string of the request without `?`; it must be empty. */
  query: string
  /** Epoch seconds. */
  now: number
  /** Whether an EIP-55 address may command this node. */
  isSigner(address: string): boolean
}

export type AllocationVerification = AllocationHead & Pick<AllocationRequest, 'body'>

/** What a believed signature says: who signed (EIP-55), and sha256 hex of the signed payload and of the body to come. */
export interface AllocationClaim {
  signer: string
  payloadHash: string
  bodySha256: string
}

/**
 * Checks all of a signed allocation request but its body (protocol 05 §4.4), so that nobody else's is read. That it was
 * not seen before is the caller's to check: keep `payloadHash` per signer for as long as
 * {@link allocationAuthLimits}.clockSkewSeconds on both sides of now.
 *
 * @throws {AllocationAuthError}
 */
export function verifyAllocationHead(head: AllocationHead): AllocationClaim {
  const { signature, payload } = parseHeader(head.authorization)
  const claims = parseClaims(payload)
  if (Math.abs(head.now - claims.iat) > allocationAuthLimits.clockSkewSeconds) {
    throw new AllocationAuthError('expired', 'iat is more than 300 s away from the clock of this node')
  }
  if (claims.method !== head.method || claims.path !== head.path || head.query !== '') {
    throw new AllocationAuthError('wrong_target', 'signed for another method or path, or sent with a query')
  }
  const signer = recoverSigner(payload, signature)
  if (!head.isSigner(signer)) {
    throw new AllocationAuthError('unknown_signer', `${signer} may not command this node`)
  }
  return { signer, payloadHash: sha256Hex(payload), bodySha256: claims.body_sha256 }
}

/** @throws {AllocationAuthError} `body_mismatch` when the body is not the one that was signed */
export function assertSignedBody({ bodySha256 }: AllocationClaim, body: Uint8Array): void {
  if (sha256Hex(body) !== bodySha256) {
    throw new AllocationAuthError('body_mismatch', 'body differs from the signed one')
  }
}

/**
 * Checks a whole signed allocation request; see {@link verifyAllocationHead}.
 *
 * @throws {AllocationAuthError}
 */
export function verifyAllocationRequest({ body, ...head }: AllocationVerification): AllocationClaim {
  const claim = verifyAllocationHead(head)
  if (body.length > allocationAuthLimits.bodyBytes) {
    throw new AllocationAuthError('body_too_large', 'body is larger than 1 MiB')
  }
  assertSignedBody(claim, body)
  return claim
}

function malformed(why: string): AllocationAuthError {
  return new AllocationAuthError('malformed', `Authorization header: ${why}`)
}

function parseHeader(header: string): { signature: string; payload: Uint8Array } {
  if (header.length > allocationAuthLimits.headerCharacters) throw malformed('too long')
  const [name, rest] = splitOnce(header.trim(), ' ')
  if (name.toLowerCase() !== scheme.toLowerCase()) throw malformed(`expected the scheme ${scheme}`)
  const parameters = new Map<string, string>()
  for (const part of rest.split(',')) {
    const [key, value] = splitOnce(part.trim(), '=').map((text) => text.trim())
    if (parameters.has(key!)) throw malformed(`${key} given twice`)
    parameters.set(key!, value!)
  }
  const signature = parameters.get('sig')
  const payload = parameters.get('payload')
  if (!signature || !payload || parameters.size !== 2) throw malformed('expected exactly sig and payload')
  const hex = payload.replace(/^0x/i, '')
  if (!/^([0-9a-f]{2})+$/i.test(hex)) throw malformed('payload is not hex')
  return { signature, payload: hexToBytes(hex) }
}

function splitOnce(text: string, separator: string): [string, string] {
  const at = text.indexOf(separator)
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + separator.length)]
}

interface Claims {
  method: string
  path: string
  body_sha256: string
  iat: number
}

function parseClaims(payload: Uint8Array): Claims {
  let value: unknown
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(payload))
  } catch {
    throw malformed('payload is not JSON')
  }
  if (typeof value !== 'object' || value === null) throw malformed('payload is not an object')
  const { method, path, body_sha256, iat } = value as Record<string, unknown>
  if (typeof method !== 'string' || typeof path !== 'string' || typeof body_sha256 !== 'string') {
    throw malformed('payload needs method, path and body_sha256')
  }
  if (typeof iat !== 'number' || !Number.isSafeInteger(iat)) throw malformed('payload needs an integer iat')
  return { method, path, body_sha256, iat }
}

function recoverSigner(payload: Uint8Array, signature: string): string {
  try {
    return recoverPersonalSign(payload, signature)
  } catch (cause) {
    if (!(cause instanceof TypeError)) throw cause
    throw new AllocationAuthError('bad_signature', 'sig is no EIP-191 signature of payload')
  }
}
