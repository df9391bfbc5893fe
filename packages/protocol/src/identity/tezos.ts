import { blake2b } from '@noble/hashes/blake2.js'
import { concatBytes, utf8ToBytes } from '@noble/hashes/utils.js'
import { isEcdsaPrivateKey, lowerTwin } from './ecdsa.ts'
import { curve as ed25519, verifyEd25519 } from './ed25519.ts'
import { p256 } from './p256.ts'
import { compressedPublicKey, secp256k1 } from './secp256k1.ts'
import {
  decodeTezosPublicKey,
  decodeTezosSignature,
  encodeTezosAddress,
  encodeTezosPublicKey,
  encodeTezosSignature,
  type TezosCurve,
} from './tezos-encoding.ts'
import { parseJsonObject } from './untrusted-text.ts'

const defaultDAppUrl = 'aleph.im'

/** Micheline is what browser wallets can sign; it covers the time of the message (protocol 01 §4.9). */
export type TezosSigning =
  | { signingType: 'raw' }
  /** `time` in seconds: the message's own; `dAppUrl` is shown by the wallet, by default `aleph.im`. */
  | { signingType: 'micheline'; time: number; dAppUrl?: string }

/** The address of a 32-byte private key: tz1 on Ed25519, tz2 on secp256k1, tz3 on P-256. */
export function tezosAddress(privateKey: Uint8Array, curve: TezosCurve = 'ed25519'): string {
  return encodeTezosAddress(curve, publicKeyOf(privateKey, curve))
}

/** Whether bytes are a private key of the curve: any 32 for Ed25519, a number in range for the others. */
export function isTezosPrivateKey(key: Uint8Array, curve: TezosCurve): boolean {
  return curve === 'ed25519' ? key.length === 32 : isEcdsaPrivateKey(key, curve)
}

/**
 * Signs a verification buffer.
 *
 * @returns JSON text: `{"signature", "publicKey", "signingType"?, "dAppUrl"?}`.
 * @throws {RangeError} when the time of a Micheline signature is not a date.
 */
export function signTezos(
  buffer: Uint8Array,
  privateKey: Uint8Array,
  curve: TezosCurve = 'ed25519',
  signing: TezosSigning = { signingType: 'raw' },
): string {
  const publicKey = publicKeyOf(privateKey, curve)
  if (signing.signingType === 'raw') {
    return formatSignature({ curve, publicKey, bytes: signDigest(digestOf(buffer), privateKey, curve) })
  }
  const { time, dAppUrl = defaultDAppUrl } = signing
  const isoTime = isoOfSeconds(time)
  if (isoTime === null) throw new RangeError(`time: ${time} seconds since 1970 is not a date`)
  const digest = digestOf(michelinePayload(buffer, dAppUrl, isoTime))
  return formatSignature({ curve, publicKey, bytes: signDigest(digest, privateKey, curve), dAppUrl })
}

/** Whether `signature` is the JSON text of {@link signTezos} by `sender`. Never throws. */
export function verifyTezos(
  buffer: Uint8Array,
  signature: string,
  sender: string,
  time: number | undefined,
): boolean {
  const parsed = parseSignature(signature)
  if (parsed === null || encodeTezosAddress(parsed.curve, parsed.publicKey) !== sender) return false
  return signedPayloads(buffer, parsed.dAppUrl, time).some((payload) =>
    verifyDigest(digestOf(payload), parsed),
  )
}

/** The one form a Tezos signature is stored and compared in, or null when it is not one. */
export function canonicalTezosSignature(signature: string): string | null {
  const parsed = parseSignature(signature)
  if (parsed === null) return null
  // The twin with the high s of secp256k1 is no signature here, so it must not become one.
  const bytes = parsed.curve === 'p256' ? lowerTwin(parsed.bytes, 'p256').bytes : parsed.bytes
  return formatSignature({ ...parsed, bytes })
}

interface TezosSignature {
  curve: TezosCurve
  publicKey: Uint8Array
  bytes: Uint8Array
  /** Present when it is over the Micheline form. */
  dAppUrl?: string
}

function formatSignature({ curve, publicKey, bytes, dAppUrl }: TezosSignature): string {
  const form = {
    signature: encodeTezosSignature(curve, bytes),
    publicKey: encodeTezosPublicKey(curve, publicKey),
  }
  if (dAppUrl === undefined) return JSON.stringify(form)
  const shown = dAppUrl === defaultDAppUrl ? {} : { dAppUrl }
  return JSON.stringify({ ...form, signingType: 'micheline', ...shown })
}

function parseSignature(text: string): TezosSignature | null {
  const { signature, publicKey, signingType = 'raw', dAppUrl = defaultDAppUrl } = parseJsonObject(text) ?? {}
  if (typeof signature !== 'string' || typeof publicKey !== 'string') return null
  const key = decodeTezosPublicKey(publicKey)
  const bytes = key && decodeTezosSignature(key.curve, signature)
  if (key === null || bytes === null) return null
  if (signingType === 'raw') return { ...key, bytes }
  return signingType === 'micheline' && typeof dAppUrl === 'string' ? { ...key, bytes, dAppUrl } : null
}

function signedPayloads(
  buffer: Uint8Array,
  dAppUrl: string | undefined,
  time: number | undefined,
): Uint8Array[] {
  if (dAppUrl === undefined) return [buffer]
  if (time === undefined) return []
  // Version 1 of the TypeScript SDK took the seconds for milliseconds, and so signed a day in 1970.
  const isoTimes = [isoOfSeconds(time), isoOfSeconds(Math.trunc(time) / 1000)]
  return isoTimes.flatMap((isoTime) => (isoTime === null ? [] : [michelinePayload(buffer, dAppUrl, isoTime)]))
}

/** A text as packed by Tezos, but for its length: written in decimal digits and counted in hex digits. */
function michelinePayload(buffer: Uint8Array, dAppUrl: string, isoTime: string): Uint8Array {
  const text = concatBytes(utf8ToBytes(`Tezos Signed Message: ${dAppUrl} ${isoTime} `), buffer)
  return concatBytes(Uint8Array.of(5, 1, 0), utf8ToBytes(String(text.length * 2)), text)
}

/** Seconds as ISO 8601 with milliseconds; rounded to microseconds first, or 29 ms would become 28. */
function isoOfSeconds(seconds: number): string | null {
  const whole = Math.floor(seconds)
  const microseconds = Math.round((seconds - whole) * 1e6)
  const date = new Date(whole * 1000 + Math.floor(microseconds / 1000))
  return Number.isNaN(date.getTime()) ? null : date.toISOString()
}

function digestOf(payload: Uint8Array): Uint8Array {
  return blake2b(payload, { dkLen: 32 })
}

function publicKeyOf(privateKey: Uint8Array, curve: TezosCurve): Uint8Array {
  if (!isTezosPrivateKey(privateKey, curve)) throw new TypeError(`privateKey: not a key of ${curve}`)
  if (curve === 'ed25519') return ed25519.publicKey(privateKey)
  return curve === 'secp256k1' ? compressedPublicKey(privateKey) : p256.publicKey(privateKey)
}

function signDigest(digest: Uint8Array, privateKey: Uint8Array, curve: TezosCurve): Uint8Array {
  if (curve === 'ed25519') return ed25519.sign(digest, privateKey)
  return curve === 'secp256k1' ? secp256k1.sign(digest, privateKey).bytes : p256.sign(digest, privateKey)
}

function verifyDigest(digest: Uint8Array, { curve, bytes, publicKey }: TezosSignature): boolean {
  if (curve === 'ed25519') return verifyEd25519(digest, bytes, publicKey)
  return curve === 'secp256k1'
    ? secp256k1.verify(digest, bytes, publicKey)
    : p256.verify(digest, bytes, publicKey)
}
