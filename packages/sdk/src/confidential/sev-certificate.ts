import { createPublicKey, type KeyObject, verify } from 'node:crypto'
import { AttestationError } from './attestation-error.ts'

/** Length of a certificate of the SEV API, bytes (AMD's SEV API specification, appendix C). */
export const sevCertificateBytes = 2084
const signedBytes = 1044
const signatureSlots = [signedBytes, signedBytes + 520]
const numberBytes = 72
const p384Bytes = 48
const p384 = 2

/** What a key is for. */
export const sevUsage = {
  invalid: 0x1000,
  oca: 0x1001,
  pek: 0x1002,
  pdh: 0x1003,
  cek: 0x1004,
  ask: 0x13,
} as const
const digests = new Map([
  [2, 'sha256'],
  [0x102, 'sha384'],
])
const ecdhSha256 = 3

/** A certificate as a SEV platform has it: a P-384 key, and up to two signatures by other keys. */
export interface SevCertificate {
  usage: number
  publicKey: KeyObject
  /** What the signatures are of. */
  signed: Buffer
  signatures: SevSignature[]
}

export interface SevSignature {
  /** Usage of the key that signed. */
  usage: number
  algorithm: number
  /** As it stands: numbers little-endian. */
  bytes: Buffer
}

/** @throws {AttestationError} `certificate_malformed` */
export function parseSevCertificate(bytes: Buffer): SevCertificate {
  if (bytes.length !== sevCertificateBytes || bytes.readUInt32LE(0) !== 1) {
    throw malformed(`no certificate of ${sevCertificateBytes} bytes, version 1`)
  }
  if (bytes.readUInt32LE(16) !== p384) throw malformed('a key that is not on P-384')
  const [x, y] = [20, 20 + numberBytes].map((at) => bigEndian(bytes.subarray(at, at + p384Bytes)))
  const key = { kty: 'EC', crv: 'P-384', x: x!.toString('base64url'), y: y!.toString('base64url') }
  return {
    usage: bytes.readUInt32LE(8),
    publicKey: importKey(key),
    signed: bytes.subarray(0, signedBytes),
    signatures: signatureSlots.map((at) => ({
      usage: bytes.readUInt32LE(at),
      algorithm: bytes.readUInt32LE(at + 4),
      bytes: bytes.subarray(at + 8, at + 520),
    })),
  }
}

/** Whether one certificate signed another. */
export function isSignedBy(certificate: SevCertificate, signer: SevCertificate): boolean {
  const signature = certificate.signatures.find(({ usage }) => usage === signer.usage)
  const digest = signature && digests.get(signature.algorithm)
  if (!signature || !digest) return false
  const [r, s] = [0, numberBytes].map((at) => bigEndian(signature.bytes.subarray(at, at + p384Bytes)))
  const key = { key: signer.publicKey, dsaEncoding: 'ieee-p1363' as const }
  return verify(digest, certificate.signed, key, Buffer.concat([r!, s!]))
}

/** A certificate for a key to agree on a secret with, signed by nobody. `point` is 04 ‖ x ‖ y. */
export function encodeDhCertificate(point: Buffer): Buffer {
  const bytes = Buffer.alloc(sevCertificateBytes)
  bytes.writeUInt32LE(1, 0)
  bytes.writeUInt32LE(sevUsage.pdh, 8)
  bytes.writeUInt32LE(ecdhSha256, 12)
  bytes.writeUInt32LE(p384, 16)
  bytes.set(bigEndian(point.subarray(1, 1 + p384Bytes)), 20)
  bytes.set(bigEndian(point.subarray(1 + p384Bytes)), 20 + numberBytes)
  for (const at of signatureSlots) bytes.writeUInt32LE(sevUsage.invalid, at)
  return bytes
}

/** Turns a number around; those of SEV are little-endian. */
export function bigEndian(bytes: Buffer): Buffer {
  return Buffer.from(bytes).reverse()
}

function importKey(key: { kty: string; crv: string; x: string; y: string }): KeyObject {
  try {
    return createPublicKey({ key, format: 'jwk' })
  } catch (cause) {
    throw malformed('a key that is none', cause)
  }
}

function malformed(what: string, cause?: unknown): AttestationError {
  return new AttestationError('certificate_malformed', `The platform's certificates hold ${what}`, { cause })
}
