import { blake2b } from '@noble/hashes/blake2.js'
import { concatBytes, hexToBytes } from '@noble/hashes/utils.js'
import { decodeBase58Check, encodeBase58Check } from './base58check.ts'

export type TezosCurve = 'ed25519' | 'secp256k1' | 'p256'

/** What stands before the bytes in the texts of a curve; its letters (`tz1`, `edpk`, …) follow from it. */
interface TezosPrefixes {
  address: Uint8Array
  publicKey: Uint8Array
  signature: Uint8Array
  /** Of the 32-byte private key: `edsk` (54 characters), `spsk`, `p2sk`. */
  privateKey: Uint8Array
}

const prefixes: Record<TezosCurve, TezosPrefixes> = {
  ed25519: prefixSet('06a19f', '0d0f25d9', '09f5cd8612', '0d0f3a07'),
  secp256k1: prefixSet('06a1a1', '03fee256', '0d7365133f', '11a2e0c9'),
  p256: prefixSet('06a1a4', '03b28b7f', '36f02c34', '1051eebd'),
}
/** `sig…`: a signature that does not say of which curve. */
const anySignature = hexToBytes('04822b')
/** `edsk…` of 98 characters: an Ed25519 seed and its public key. */
const edwardsKeyPair = hexToBytes('2bf64e07')

export const tezosCurves = Object.keys(prefixes) as TezosCurve[]
export const publicKeyLength: Record<TezosCurve, number> = { ed25519: 32, secp256k1: 33, p256: 33 }

/** The `tz1`, `tz2` or `tz3` address of a public key. */
export function encodeTezosAddress(curve: TezosCurve, publicKey: Uint8Array): string {
  return encode(prefixes[curve].address, blake2b(publicKey, { dkLen: 20 }))
}

/** The curve of a `tz1`, `tz2` or `tz3` address, null when it is none of them. */
export function curveOfTezosAddress(address: string): TezosCurve | null {
  const bytes = decodeBase58Check(address)
  return tezosCurves.find((curve) => strip(bytes, prefixes[curve].address, 20) !== null) ?? null
}

export function encodeTezosPublicKey(curve: TezosCurve, publicKey: Uint8Array): string {
  return encode(prefixes[curve].publicKey, publicKey)
}

export function decodeTezosPublicKey(text: string): { curve: TezosCurve; publicKey: Uint8Array } | null {
  const bytes = decodeBase58Check(text)
  for (const curve of tezosCurves) {
    const publicKey = strip(bytes, prefixes[curve].publicKey, publicKeyLength[curve])
    if (publicKey !== null) return { curve, publicKey }
  }
  return null
}

export function encodeTezosSignature(curve: TezosCurve, signature: Uint8Array): string {
  return encode(prefixes[curve].signature, signature)
}

/** The 64 bytes of a signature in the form of its curve or in the form for any curve, null otherwise. */
export function decodeTezosSignature(curve: TezosCurve, text: string): Uint8Array | null {
  const bytes = decodeBase58Check(text)
  return strip(bytes, prefixes[curve].signature, 64) ?? strip(bytes, anySignature, 64)
}

/** The `edsk`, `spsk` or `p2sk` text of a 32-byte private key, unencrypted. */
export function encodeTezosPrivateKey(curve: TezosCurve, privateKey: Uint8Array): string {
  return encode(prefixes[curve].privateKey, privateKey)
}

/** The curve and the 32 bytes of an unencrypted `edsk` (either length), `spsk` or `p2sk` key; null otherwise. */
export function decodeTezosPrivateKey(text: string): { curve: TezosCurve; privateKey: Uint8Array } | null {
  const bytes = decodeBase58Check(text)
  const keyPair = strip(bytes, edwardsKeyPair, 64)
  if (keyPair !== null) return { curve: 'ed25519', privateKey: keyPair.slice(0, 32) }
  for (const curve of tezosCurves) {
    const privateKey = strip(bytes, prefixes[curve].privateKey, 32)
    if (privateKey !== null) return { curve, privateKey }
  }
  return null
}

function prefixSet(address: string, publicKey: string, signature: string, privateKey: string): TezosPrefixes {
  return {
    address: hexToBytes(address),
    publicKey: hexToBytes(publicKey),
    signature: hexToBytes(signature),
    privateKey: hexToBytes(privateKey),
  }
}

function encode(prefix: Uint8Array, bytes: Uint8Array): string {
  return encodeBase58Check(concatBytes(prefix, bytes))
}

function strip(payload: Uint8Array | null, prefix: Uint8Array, length: number): Uint8Array | null {
  if (payload?.length !== prefix.length + length) return null
  return prefix.every((byte, i) => byte === payload[i]) ? payload.slice(prefix.length) : null
}
