import { type Envelope, itemHash, type MessageType } from '@aleph-ts/protocol'

/** A message as a door hands it on after checking its signature. */
export function message(
  sender: string,
  type: MessageType,
  content: Record<string, unknown> & { time: number },
  fields: Partial<Envelope> = {},
): Envelope {
  const text = JSON.stringify({ address: sender, ...content })
  return {
    sender,
    chain: 'ETH',
    type,
    item_type: 'inline',
    item_hash: itemHash(text),
    item_content: text,
    time: content.time,
    channel: 'TEST',
    signature: '0x00',
    ...fields,
  }
}

/** A file of so many kibibytes, as the test nodes have it. */
export function fileOf(kibibytes: number, nonce = 0): string {
  return `${'f'.repeat(8)}${String(nonce).padStart(53, '0')}${String(kibibytes).padStart(3, '0')}`
}

export function store(sender: string, time: number, fields: Record<string, unknown> = {}): Envelope {
  return message(sender, 'STORE', { item_type: 'storage', item_hash: fileOf(1), ...fields, time })
}

export function program(
  sender: string,
  time: number,
  refs: { code: string; runtime: string; use_latest?: boolean },
  fields: Record<string, unknown> = {},
): Envelope {
  return message(sender, 'PROGRAM', {
    type: 'vm-function',
    allow_amend: false,
    code: {
      encoding: 'squashfs',
      entrypoint: 'main.js',
      ref: refs.code,
      use_latest: refs.use_latest ?? false,
    },
    runtime: { ref: refs.runtime, use_latest: false, comment: '' },
    on: { http: true, persistent: false },
    environment: { internet: false, aleph_api: false, reproducible: false, shared_cache: false },
    resources: { vcpus: 1, memory: 256, seconds: 30 },
    volumes: [],
    ...fields,
    time,
  })
}

export function instance(sender: string, time: number, parent: string, fields: Record<string, unknown> = {}) {
  return message(sender, 'INSTANCE', {
    allow_amend: false,
    environment: { internet: true, aleph_api: false },
    resources: { vcpus: 1, memory: 512, seconds: 30 },
    rootfs: { parent: { ref: parent, use_latest: false }, persistence: 'host', size_mib: 20 },
    volumes: [],
    ...fields,
    time,
  })
}

export function vProgram(sender: string, time: number, refs: { runtime: string; workload: string }) {
  const proof = { hash_tree: refs.runtime, roothash: '0'.repeat(64) }
  return message(sender, 'V-PROGRAM', {
    allow_amend: false,
    environment: {},
    resources: { vcpus: 1, memory: 512 },
    payment: { type: 'credit' },
    runtime: { ref: refs.runtime },
    workload: { ref: refs.workload, ...proof },
    verification: {
      backend: 'sev_snp',
      measurements: [{ platform: 'sev_snp', registers: { launch: '0'.repeat(96) } }],
    },
    time,
  })
}

export function address(n: number): string {
  return `0x${String(n).padStart(40, '0')}`
}

export function allow(owner: string, delegates: string[], time: number): Envelope {
  return message(owner, 'AGGREGATE', {
    key: 'security',
    content: { authorizations: delegates.map((delegate) => ({ address: delegate })) },
    time,
  })
}

export function forget(
  sender: string,
  hashes: string[],
  time: number,
  fields: Record<string, unknown> = {},
): Envelope {
  return message(sender, 'FORGET', { hashes, ...fields, time })
}
