import type { PaymentType } from '@aleph-ts/protocol'
import { type BuiltMessage, buildMessage, type MessageOptions } from './build-message.ts'
import type { ProgramVolume } from './build-program.ts'
import { paymentOf } from './payment.ts'

export interface InstanceFields {
  /** Item hash of the STORE message that holds the image of its root disk. */
  image: string
  /** Size of its root disk. */
  diskMiB: number
  /** Public ssh keys that are let in. */
  authorizedKeys: readonly string[]
  vcpus?: number
  memoryMiB?: number
  internet?: boolean
  variables?: Record<string, string>
  name?: string
  metadata?: Record<string, unknown>
  volumes?: readonly ProgramVolume[]
  paymentType?: PaymentType
  paymentReceiver?: string
  /** Keeps its memory from its host (AMD SEV): the STORE message of its firmware, and the guest policy. */
  confidential?: { firmware: string; policy: number }
  /** Run on this compute node only: the item hash of its registration. */
  nodeHash?: string
}

/**
 * An INSTANCE: a virtual machine with a disk of its own (protocol 01 §6.7). Every default is spelled out, because older
 * clients cannot read messages that leave one to the reader (protocol 01 §2.4).
 *
 * @example
 * buildInstance({ image, diskMiB: 20_480, authorizedKeys: ['ssh-ed25519 AAAA…'] }, { account })
 */
export function buildInstance(fields: InstanceFields, options: MessageOptions): BuiltMessage<'INSTANCE'> {
  const metadata = { ...(fields.name === undefined ? {} : { name: fields.name }), ...fields.metadata }
  const content = {
    allow_amend: false,
    ...(Object.keys(metadata).length === 0 ? {} : { metadata }),
    ...(fields.variables === undefined ? {} : { variables: { ...fields.variables } }),
    authorized_keys: [...fields.authorizedKeys],
    environment: {
      reproducible: false,
      internet: fields.internet ?? true,
      aleph_api: true,
      shared_cache: false,
      hypervisor: 'qemu',
      ...(fields.confidential === undefined ? {} : { trusted_execution: { ...fields.confidential } }),
    },
    resources: { vcpus: fields.vcpus ?? 1, memory: fields.memoryMiB ?? 2048, seconds: 30 },
    payment: paymentOf(fields.paymentType ?? 'credit', options.account.chain, fields.paymentReceiver),
    ...(fields.nodeHash === undefined ? {} : { requirements: { node: { node_hash: fields.nodeHash } } }),
    rootfs: {
      parent: { ref: fields.image, use_latest: true },
      persistence: 'host',
      size_mib: fields.diskMiB,
    },
    volumes: fields.volumes ?? [],
  }
  return buildMessage('INSTANCE', content, options)
}
