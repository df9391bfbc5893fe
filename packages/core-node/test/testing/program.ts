import type { Envelope } from '@aleph-ts/protocol'
import { sign, type Wallet } from './wallet.ts'

/** A STORE message for bytes with this hash. */
export function store(wallet: Wallet, fileHash: string, fields: Record<string, unknown> = {}): Envelope {
  return sign(wallet, 'STORE', { item_type: 'storage', item_hash: fileHash, ...fields })
}

/** An on-demand program from the STORE messages of its code and runtime. */
export function program(
  wallet: Wallet,
  refs: { code: string; runtime: string },
  fields: Record<string, unknown> = {},
): Envelope {
  return sign(wallet, 'PROGRAM', {
    type: 'vm-function',
    allow_amend: false,
    code: { encoding: 'squashfs', entrypoint: 'main.js', ref: refs.code, use_latest: false },
    runtime: { ref: refs.runtime, use_latest: false, comment: 'a runtime' },
    on: { http: true, persistent: false },
    environment: { internet: false, aleph_api: false, reproducible: false, shared_cache: false },
    resources: { vcpus: 1, memory: 256, seconds: 30 },
    volumes: [],
    ...fields,
  })
}
