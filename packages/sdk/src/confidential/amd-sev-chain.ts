import { constants, createHash, createPublicKey, type KeyObject, verify } from 'node:crypto'
import { AttestationError } from './attestation-error.ts'
import { bigEndian, type SevCertificate, sevUsage } from './sev-certificate.ts'

/**
 * Sha256 of the numbers (modulus, little-endian) of AMD's root keys for SEV: Naples, Rome, Milan, Genoa, Turin; computed
 * from AMD's certificates as the crate `sev` 8.0.0 has them built in. Certificates of real Naples and Rome platforms
 * verify up to the first two.
 */
export const amdSevRoots: readonly string[] = [
  '9914e78ad0a8260245244d2580195e044a1bc1c9ef83d6bbc0c86d9b563abca0',
  '063b4e93150fbe63e054a10fd0958e4948cff5af02e7acd5923fa23ce1395df3',
  '87dbd40540237df39c072efc2ba91ec23a0ee57e2af074dde844a4614dc4577b',
  'a18c064225a3d841a7c14a2b4835687972879ebebf468a890480faf1690e3152',
  'c9233c3de0a0cb2d48b2c6fefd4fd901413fcd0cd886cf91e03e2dbd06fa9266',
]

const headerBytes = 64
const usageArk = 0
const digests = new Map([
  [1, 'sha256'],
  [0x101, 'sha384'],
])

/** A certificate of AMD's own, as its binary form has it. */
interface AmdCertificate {
  usage: number
  publicKey: KeyObject
  modulus: Buffer
  body: Buffer
  signature: Buffer
}

/**
 * Checks that a chip's key (CEK) was signed by AMD: by the key of its family (ASK), which the root (ARK) signed. `chain`
 * is what AMD publishes for the family: ASK ‖ ARK.
 *
 * @throws {AttestationError} `certificate_malformed`, `chain_untrusted`
 */
export function assertMadeByAmd(
  cek: SevCertificate,
  chain: Buffer,
  roots: readonly string[] = amdSevRoots,
): void {
  const ask = parse(chain)
  const ark = parse(chain.subarray(ask.body.length + ask.signature.length))
  const refuse = (why: string) =>
    new AttestationError('chain_untrusted', `The platform is not trusted: ${why}`)
  const root = createHash('sha256').update(ark.modulus).digest('hex')
  if (ark.usage !== usageArk || !roots.includes(root)) throw refuse(`its root key ${root} is none of AMD's`)
  if (ask.usage !== sevUsage.ask || !isSigned(ask.body, ask.signature, ark))
    throw refuse('the ARK did not sign the ASK')
  const signature = cek.signatures.find(({ usage }) => usage === sevUsage.ask)
  if (!signature) throw refuse('its CEK has no signature of AMD; export its certificates by "sevctl export"')
  const digest = digests.get(signature.algorithm)
  if (!digest || !isSigned(cek.signed, signature.bytes.subarray(0, ask.modulus.length), ask, digest)) {
    throw refuse('the ASK did not sign the CEK')
  }
}

function parse(bytes: Buffer): AmdCertificate {
  const bits = bytes.length < headerBytes ? 0 : bytes.readUInt32LE(60)
  const size = bits / 8
  const isKnown = (bits === 2048 || bits === 4096) && bytes.readUInt32LE(56) === bits
  if (!isKnown || bytes.length < headerBytes + 3 * size) {
    throw new AttestationError(
      'certificate_malformed',
      "AMD's chain must be its binary ASK and ARK, one after the other",
    )
  }
  const exponent = bigEndian(bytes.subarray(headerBytes, headerBytes + size))
  const modulus = bytes.subarray(headerBytes + size, headerBytes + 2 * size)
  const trimmed = exponent.subarray(exponent.findIndex((byte) => byte !== 0))
  const key = { kty: 'RSA', n: bigEndian(modulus).toString('base64url'), e: trimmed.toString('base64url') }
  return {
    usage: bytes.readUInt32LE(36),
    publicKey: importKey(key),
    modulus,
    body: bytes.subarray(0, headerBytes + 2 * size),
    signature: bytes.subarray(headerBytes + 2 * size, headerBytes + 3 * size),
  }
}

function importKey(key: { kty: string; n: string; e: string }): KeyObject {
  try {
    return createPublicKey({ key, format: 'jwk' })
  } catch (cause) {
    throw new AttestationError('certificate_malformed', "AMD's chain holds a key that is none", { cause })
  }
}

function isSigned(body: Buffer, signature: Buffer, signer: AmdCertificate, given?: string): boolean {
  const digest = given ?? (signer.modulus.length === 256 ? 'sha256' : 'sha384')
  const padding = constants.RSA_PKCS1_PSS_PADDING
  const key = { key: signer.publicKey, padding, saltLength: constants.RSA_PSS_SALTLEN_DIGEST }
  return verify(digest, body, key, bigEndian(signature))
}
