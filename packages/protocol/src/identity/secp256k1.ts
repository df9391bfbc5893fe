import { secp256k1 } from '#secp256k1'

/** A recoverable ECDSA signature over a 32-byte digest: r ‖ s (64 bytes) and which of the four points it was. */
export interface RecoverableSignature {
  bytes: Uint8Array
  recovery: number
}

/** The two operations on secp256k1 that the protocol needs; natively in Node, in JavaScript elsewhere. */
export interface Secp256k1 {
  /** The uncompressed public key (65 bytes, leading 04), or null when there is none. High s is accepted. */
  recover(digest: Uint8Array, signature: RecoverableSignature): Uint8Array | null
  sign(digest: Uint8Array, privateKey: Uint8Array): RecoverableSignature
  /** The uncompressed public key (65 bytes, leading 04). Throws on a key that is out of range. */
  publicKey(privateKey: Uint8Array): Uint8Array
}

export { secp256k1 }
