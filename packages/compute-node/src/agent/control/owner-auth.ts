import { createHash, createPublicKey, type JsonWebKey, verify } from 'node:crypto'
import { recoverPersonalSign } from '@aleph-ts/protocol'
import { base58 } from '@scure/base'
import { z } from 'zod'

const OPERATION_WINDOW_SECONDS = 120
const MAX_HEADER_CHARACTERS = 8_192

/** The request as the operation must have been signed for. `path` is percent-decoded, without query. */
export interface OwnerRequest {
  signedPubKey: string | undefined
  signedOperation: string | undefined
  /** `any` where clients do not agree on the method they sign. */
  method: string
  path: string
  domain: string
  /** As it came, without `?`. */
  query: string
  /** As it came; null when it is an upload that is still to be read. */
  body: string | null
  /** Epoch seconds. */
  now: number
  /** Whether nobody sent this nonce of an address yet; it is remembered until `until`. */
  takeNonce: (address: string, nonce: string, until: number) => boolean
}

/** Why an owner was not believed: `status` and text are what the client sees (protocol 05 §4.1). */
export class OwnerAuthError extends Error {
  override readonly name = 'OwnerAuthError'
  readonly code = 'unauthenticated'
  readonly status: 400 | 401

  constructor(status: 400 | 401, message: string) {
    super(message)
    this.status = status
  }
}

const hex = z
  .string()
  .transform((text) => text.replace(/^0x/i, ''))
  .refine((text) => /^([0-9a-f]{2})+$/i.test(text))
/** `aleph-rs` sends a Solana signature as an object with it (protocol 05 §23 A2). */
const signature = z.union([
  z.string(),
  z.object({ signature: z.string() }).transform((object) => object.signature),
])
const signed = z.object({ payload: hex, signature })
const instant = z.iso.datetime({ offset: true }).transform((text) => Date.parse(text) / 1000)
const keyPayload = z.object({
  pubkey: z.object({ kty: z.literal('EC'), crv: z.literal('P-256'), x: z.string(), y: z.string() }),
  address: z.string().min(1).max(128),
  expires: instant,
  chain: z.enum(['ETH', 'SOL']).default('ETH'),
})
const operationPayload = z.object({
  time: instant,
  method: z.enum(['POST', 'GET', 'DELETE']),
  domain: z.string(),
  path: z.string(),
  // Beyond the network's nodes (protocol 05 §24.6): what is named must be so.
  query: z.string().max(MAX_HEADER_CHARACTERS).optional(),
  body_sha256: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .optional(),
  nonce: z.string().min(1).max(128).optional(),
})

/**
 * Checks the two headers of an owner's call: a wallet vouches for a short-lived P-256 key, which signs the
 * operation (protocol 05 §4.1, checks in that order). Returns the wallet's address.
 *
 * The `domain` of the key is ignored on purpose: the web console uses one key for all nodes.
 *
 * @throws {OwnerAuthError}
 */
export function authenticateOwner(request: OwnerRequest): string {
  const key = openKey(request.signedPubKey, request.now)
  if (!request.signedOperation) throw new OwnerAuthError(400, 'Missing X-SignedOperation header')
  const operation = openOperation(request.signedOperation, request.now)
  const { domain, path, method } = operation
  if (domain !== request.domain) {
    throw new OwnerAuthError(401, `Invalid domain: Signed: '${domain}' != Request: '${request.domain}'`)
  }
  if (path !== request.path) {
    throw new OwnerAuthError(401, `Invalid path. Signed: '${path}' !=  requested path: '${request.path}'`)
  }
  if (request.method !== 'any' && method !== request.method) {
    throw new OwnerAuthError(401, `Invalid method. Signed: '${method}' !=  request:'${request.method}'`)
  }
  if (!operation.signedBy(key.pubkey)) throw new OwnerAuthError(401, 'Signature could not verified')
  assertExtras(operation, key.address, request)
  return key.address
}

/** What an operation says of itself beyond method, domain and path; clients need not say any of it. */
function assertExtras(
  { query, body_sha256, nonce, time }: z.output<typeof operationPayload>,
  address: string,
  request: OwnerRequest,
): void {
  if (query !== undefined && query !== request.query) {
    throw new OwnerAuthError(401, `Invalid query. Signed: '${query}' != requested query: '${request.query}'`)
  }
  if (body_sha256 !== undefined) {
    const { body } = request
    if (body === null) throw new OwnerAuthError(401, 'Invalid body_sha256: uploads cannot be signed')
    const actual = createHash('sha256').update(body).digest('hex')
    if (actual !== body_sha256) throw new OwnerAuthError(401, 'Invalid body_sha256: the body is another one')
  }
  if (nonce === undefined) return
  if (!request.takeNonce(address, nonce, time + OPERATION_WINDOW_SECONDS)) {
    throw new OwnerAuthError(401, 'Invalid nonce: this operation was sent before')
  }
}

function openKey(header: string | undefined, now: number): z.output<typeof keyPayload> {
  if (!header) throw new OwnerAuthError(400, 'Missing X-SignedPubKey header')
  const json = parseHeader(header)
  if (json === undefined) throw new OwnerAuthError(400, 'Invalid X-SignedPubKey format')
  const envelope = signed.safeParse(json)
  const bytes = Buffer.from(envelope.data?.payload ?? '', 'hex')
  const payload = keyPayload.safeParse(parseJson(bytes.toString('utf8')))
  if (!envelope.success || !payload.success || !isUsableKey(payload.data.pubkey)) {
    throw new OwnerAuthError(400, 'Invalid X-SignedPubKey data')
  }
  if (payload.data.expires <= now) throw new OwnerAuthError(401, 'Token expired')
  if (!signedByWallet(payload.data, envelope.data, bytes)) throw new OwnerAuthError(401, 'Invalid signature')
  return payload.data
}

function openOperation(header: string, now: number) {
  const envelope = signed.safeParse(parseHeader(header))
  const bytes = Buffer.from(envelope.data?.payload ?? '', 'hex')
  const payload = operationPayload.safeParse(parseJson(bytes.toString('utf8')))
  const signature = hex.safeParse(envelope.data?.signature)
  if (
    !payload.success ||
    !signature.success ||
    Math.abs(payload.data.time - now) > OPERATION_WINDOW_SECONDS
  ) {
    throw new OwnerAuthError(400, 'Invalid X-SignedOperation fields')
  }
  const signedBy = (jwk: JsonWebKey) => {
    const key = createPublicKey({ key: jwk, format: 'jwk' })
    return verify('sha256', bytes, { key, dsaEncoding: 'ieee-p1363' }, Buffer.from(signature.data, 'hex'))
  }
  return { ...payload.data, signedBy }
}

function signedByWallet(
  { address, chain }: z.output<typeof keyPayload>,
  envelope: z.output<typeof signed>,
  bytes: Buffer,
): boolean {
  if (chain === 'SOL') return signedBySolana(address, envelope)
  try {
    return recoverPersonalSign(bytes, envelope.signature).toLowerCase() === address.toLowerCase()
  } catch {
    // Whatever is wrong with a signature, it is not the wallet's.
    return false
  }
}

/** Solana wallets sign the text of the hex payload and write the signature in hex; `aleph-rs` its bytes, in base58. */
function signedBySolana(address: string, { payload, signature }: z.output<typeof signed>): boolean {
  if (address.length > 44 || signature.length > 130) return false
  const signatureHex = hex.safeParse(signature)
  try {
    const x = Buffer.from(base58.decode(address)).toString('base64url')
    const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' })
    return signatureHex.success
      ? verify(null, Buffer.from(payload, 'ascii'), key, Buffer.from(signatureHex.data, 'hex'))
      : verify(null, Buffer.from(payload, 'hex'), key, base58.decode(signature))
  } catch {
    return false
  }
}

function isUsableKey(jwk: JsonWebKey): boolean {
  try {
    createPublicKey({ key: jwk, format: 'jwk' })
    return true
  } catch {
    return false
  }
}

function parseHeader(header: string): unknown {
  return header.length > MAX_HEADER_CHARACTERS ? undefined : parseJson(header)
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
