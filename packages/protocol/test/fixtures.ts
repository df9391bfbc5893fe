import { readFileSync } from 'node:fs'

/** Reads a file of the repository's shared test vectors. */
export function readFixture<T>(name: string): T {
  return JSON.parse(readFileSync(new URL(`../../../fixtures/${name}.json`, import.meta.url), 'utf8')) as T
}

export interface SignedMessageFixture {
  id: string
  expect: 'valid' | 'invalid' | 'policy' | 'needs-rpc'
  reason?: 'signature' | 'missing-signature' | 'item_hash' | 'format'
  message: Record<string, unknown> & { chain: string; type: string }
}
