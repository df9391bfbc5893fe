import { base58 } from '@scure/base'
import { curve, verifyEd25519 } from './ed25519.ts'
import { decodeBase58, parseJsonObject } from './untrusted-text.ts'

/** The address of a 32-byte Ed25519 secret on Solana and Eclipse: its public key in base58. */
export function solanaAddress(secret: Uint8Array): string {
  return base58.encode(curve.publicKey(secret))
}

/** Whether text is the base58 of 32 bytes. */
export function isSolanaAddress(address: string): boolean {
  return decodeBase58(address)?.length === 32
}

/**
 * Signs a verification buffer as Solana wallets do for Aleph (protocol 01 §4.5).
 *
 * @returns JSON text: `{"signature": base58, "publicKey": base58}`.
 */
export function signSolana(buffer: Uint8Array, secret: Uint8Array): string {
  const signature = base58.encode(curve.sign(buffer, secret))
  return JSON.stringify({ signature, publicKey: solanaAddress(secret) })
}

/** Whether `signature` is the JSON text of {@link signSolana} by `sender`. Never throws. */
export function verifySolana(buffer: Uint8Array, signature: string, sender: string): boolean {
  const parsed = parseSolanaSignature(signature)
  if (parsed === null || parsed.publicKey !== sender) return false
  const signatureBytes = decodeBase58(parsed.signature)
  const publicKey = decodeBase58(parsed.publicKey)
  return signatureBytes !== null && publicKey !== null && verifyEd25519(buffer, signatureBytes, publicKey)
}

/** The one form a Solana signature is stored and compared in, or null when it is not one. */
export function canonicalSolanaSignature(signature: string): string | null {
  const parsed = parseSolanaSignature(signature)
  return parsed === null ? null : JSON.stringify(parsed)
}

function parseSolanaSignature(text: string): { signature: string; publicKey: string } | null {
  const { signature, publicKey, version } = parseJsonObject(text) ?? {}
  if (typeof signature !== 'string' || typeof publicKey !== 'string') return null
  if (version !== undefined && version !== 1) return null
  return { signature, publicKey }
}
