import { sha256 } from '@noble/hashes/sha2.js'
import { bytesToHex, utf8ToBytes } from '@noble/hashes/utils.js'
import type { Sha256 } from './sha256.ts'

export function sha256Hex(data: string | Uint8Array): string {
  return bytesToHex(sha256Bytes(data))
}

export function sha256Bytes(data: string | Uint8Array): Uint8Array {
  return sha256(typeof data === 'string' ? utf8ToBytes(data) : data)
}

export function createSha256(): Sha256 {
  const state = sha256.create()
  return {
    update(bytes) {
      state.update(bytes)
      return this
    },
    hex: () => bytesToHex(state.clone().digest()),
  }
}
