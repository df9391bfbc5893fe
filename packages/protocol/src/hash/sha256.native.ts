import { createHash, hash } from 'node:crypto'
import type { Sha256 } from './sha256.ts'

export function sha256Hex(data: string | Uint8Array): string {
  return hash('sha256', data, 'hex')
}

export function sha256Bytes(data: string | Uint8Array): Uint8Array {
  return hash('sha256', data, 'buffer')
}

export function createSha256(): Sha256 {
  const state = createHash('sha256')
  return {
    update(bytes) {
      state.update(bytes)
      return this
    },
    hex: () => state.copy().digest('hex'),
  }
}
