import type { PaymentType } from '@aleph-ts/protocol'
import { type BuiltMessage, buildMessage, type MessageOptions } from './build-message.ts'
import { paymentOf } from './payment.ts'

/** A disk of a program (protocol 01 §6.11); each kind has a key the others lack. */
export type ProgramVolume =
  | { ref: string; use_latest?: boolean; mount: string; comment?: string }
  | { ephemeral: true; size_mib: number; mount: string; comment?: string }
  | {
      persistence: 'host' | 'store'
      size_mib: number
      mount: string
      name?: string
      parent?: { ref: string; use_latest?: boolean }
      comment?: string
    }

export interface ProgramFields {
  /** Item hash of the STORE message that holds the code. */
  code: string
  /** How the code is packed; `zip` by default. */
  encoding?: 'zip' | 'squashfs' | 'plain'
  /** What the runtime starts: a file in the code, or `module:app` for an ASGI application. */
  entrypoint: string
  /** `asgi` when the entrypoint names a Python application, else `binary` (protocol 01 §6.6). */
  interface?: 'asgi' | 'binary'
  /** Item hash of the STORE message that holds the runtime image. */
  runtime: string
  runtimeComment?: string
  /** Follow newer versions of the code and of the runtime (STORE messages with `ref`). */
  useLatest?: boolean
  vcpus?: number
  memoryMiB?: number
  /** Longest time to the first byte of an answer. */
  seconds?: number
  /** Kept running, instead of started at the first request. */
  persistent?: boolean
  /**
   * Attributes of messages for which the program is called (protocol 05 §5.5): `POST /.well-known/aleph/message` with the
   * message as JSON, or the event `aleph.message` of an ASGI application.
   */
  onMessage?: readonly Record<string, unknown>[]
  /** Lets the program reach public addresses through the node's proxy. */
  internet?: boolean
  variables?: Record<string, string>
  name?: string
  metadata?: Record<string, unknown>
  volumes?: readonly ProgramVolume[]
  paymentType?: PaymentType
  paymentReceiver?: string
  allowAmend?: boolean
  replaces?: string
  /** Run on this compute node only: the item hash of its registration. */
  nodeHash?: string
}

/**
 * A PROGRAM: an HTTP server in a microVM (protocol 01 §6.6). Every default is spelled out, because older
 * clients cannot read messages that leave one to the reader (protocol 01 §2.4).
 *
 * @example
 * buildProgram({ code: storeHash, runtime: nodeRuntimeHash, entrypoint: 'index.ts' }, { account })
 */
export function buildProgram(fields: ProgramFields, options: MessageOptions): BuiltMessage<'PROGRAM'> {
  return buildMessage('PROGRAM', programContent(fields, options), options)
}

function programContent(fields: ProgramFields, options: MessageOptions) {
  const useLatest = fields.useLatest ?? true
  const metadata = { ...(fields.name === undefined ? {} : { name: fields.name }), ...fields.metadata }
  return {
    type: 'vm-function',
    allow_amend: fields.allowAmend ?? false,
    ...(Object.keys(metadata).length === 0 ? {} : { metadata }),
    ...(fields.variables === undefined ? {} : { variables: { ...fields.variables } }),
    code: {
      encoding: fields.encoding ?? 'zip',
      entrypoint: fields.entrypoint,
      ref: fields.code,
      interface: fields.interface ?? (fields.entrypoint.includes(':') ? 'asgi' : 'binary'),
      use_latest: useLatest,
    },
    runtime: { ref: fields.runtime, use_latest: useLatest, comment: fields.runtimeComment ?? '' },
    on: {
      http: true,
      persistent: fields.persistent ?? false,
      ...(fields.onMessage === undefined ? {} : { message: [...fields.onMessage] }),
    },
    environment: {
      reproducible: false,
      internet: fields.internet ?? false,
      aleph_api: false,
      shared_cache: false,
    },
    resources: {
      vcpus: fields.vcpus ?? 1,
      memory: fields.memoryMiB ?? 256,
      seconds: fields.seconds ?? 30,
    },
    payment: paymentOf(fields.paymentType ?? 'hold', options.account.chain, fields.paymentReceiver),
    ...(fields.nodeHash === undefined ? {} : { requirements: { node: { node_hash: fields.nodeHash } } }),
    volumes: fields.volumes ?? [],
    ...(fields.replaces === undefined ? {} : { replaces: fields.replaces }),
  }
}
