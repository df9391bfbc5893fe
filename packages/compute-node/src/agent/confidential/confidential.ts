import { readFile } from 'node:fs/promises'
import type { InstanceContent, ProgramContent, TrustedExecution } from '@aleph-ts/protocol'
import type { Logger } from 'pino'
import {
  type ConfidentialLaunch,
  type ConfidentialSupport,
  type SnpVcpuType,
  snpVcpuTypes,
} from '../../supervisor/index.ts'
import type { FileStore } from '../core-nodes/file-store.ts'
import type { MessageSource } from '../core-nodes/message-source.ts'
import { AgentError } from '../errors.ts'
import type { VmHost } from '../vm-host.ts'
import type { Sessions } from './sessions.ts'

const MAX_FIRMWARE_BYTES = 64 * 1024 * 1024
/** Of measurements that name none, as schedulers take it (protocol 06 §8.3). */
const usualVcpuType: SnpVcpuType = 'EPYC'
const notEnabled = 'Confidential computing setting not enabled on that server'

export interface ConfidentialOptions {
  enabled: boolean
  /** What the host can do; asked once, and only when enabled. */
  support: () => Promise<ConfidentialSupport>
  sessions: Sessions
  messages: MessageSource
  files: FileStore
  /** STORE message of the firmware of instances that name none. */
  defaultFirmware: string
  /** File of the platform's certificates; null: as the hypervisor tells them. */
  certificates: string | null
  vms: VmHost
  logger: Logger
}

/** Instances whose memory their host cannot read (protocol 05 §11). */
export class Confidential {
  readonly #options: ConfidentialOptions
  #support: ConfidentialSupport = { available: false, reason: notEnabled }

  constructor(options: ConfidentialOptions) {
    this.#options = options
  }

  async start(): Promise<void> {
    const { enabled, support, certificates, vms, sessions, logger } = this.#options
    if (!enabled) return
    this.#support = await support()
    if (this.#support.available && certificates !== null) {
      // QEMU's have no signature of AMD: owners could not tell them from made-up ones.
      this.#support = { ...this.#support, certificates: await readCertificates(certificates) }
    }
    if (!this.#support.available)
      logger.warn({ reason: this.#support.reason }, 'no confidential instances here')
    // A launch is measured once: a guest that ended by itself needs a new session.
    vms.on('state', ({ id, state, confidential }) => {
      if (state !== 'failed' || !confidential) return
      sessions.remove(id).catch((error: unknown) => logger.error({ err: error }, 'a session stays on disk'))
    })
  }

  /** Processors that SEV-SNP guests can be measured for here; null: there are no such guests. */
  get snpVcpuTypes(): readonly string[] | null {
    return this.#support.available && this.#support.technologies.includes('sev-snp') ? snpVcpuTypes : null
  }

  get isAvailable(): boolean {
    return this.#support.available
  }

  /** What owners make a session for. Throws AgentError `overloaded`, as the network's nodes answer. */
  get certificates(): Buffer {
    if (this.#support.available) return this.#support.certificates
    throw new AgentError('overloaded', this.#support.reason)
  }

  /** Throws AgentError `unsupported` when the message asks for what this host cannot do. */
  assertAvailable({ environment }: InstanceContent | ProgramContent): void {
    const wanted = 'trusted_execution' in environment ? environment.trusted_execution : null
    if (!wanted) return
    const problem = this.#problem(wanted)
    if (problem)
      throw new AgentError('unsupported', `The instance asks for confidential computing: ${problem}`)
  }

  /**
   * How the instance is launched; null when it is an ordinary one. Throws AgentError `unsupported`, and
   * `awaiting_owner` until its owner has brought a session.
   */
  async launch(hash: string, content: InstanceContent): Promise<ConfidentialLaunch | null> {
    const wanted = content.environment.trusted_execution
    if (!wanted) return null
    this.assertAvailable(content)
    const { sessions, messages, files, defaultFirmware } = this.#options
    if (!this.#support.available) throw new AgentError('unsupported', this.#support.reason)
    const { cbitpos, reducedPhysBits } = this.#support
    const platform = { policy: wanted.policy, cbitpos, reducedPhysBits }
    const isMeasured = wanted.mode === 'sev_snp'
    // A measured guest boots what its runtime holds; the schema sees to it that it has one.
    const ref = isMeasured ? wanted.runtime : wanted.firmware
    const store = await messages.store(ref ?? defaultFirmware, false)
    const firmware = await files.fetch(store.content.item_hash, MAX_FIRMWARE_BYTES)
    if (isMeasured) {
      const vcpuType = vcpuTypeOf(wanted)
      return {
        ...platform,
        technology: 'sev-snp',
        firmware,
        ...(vcpuType && { vcpuType }),
        ...(isSha256(hash) && { hostData: Buffer.from(hash, 'hex').toString('base64') }),
      }
    }
    const session = sessions.find(hash)
    if (!session) {
      throw new AgentError('awaiting_owner', 'The instance waits for its owner to initialise the launch')
    }
    return { ...platform, technology: 'sev', firmware, session }
  }

  #problem(wanted: TrustedExecution): string | null {
    if (!this.#support.available) return this.#support.reason
    const mode = wanted.mode ?? 'sev'
    const { technologies } = this.#support
    if (mode === 'tdx') return 'mode "tdx" needs an Intel processor; this node has AMD SEV'
    if (mode === 'sev') return null
    if (!technologies.includes('sev-snp')) {
      return `mode "sev_snp" needs SEV-SNP in processor, kernel and QEMU (9.1 or later); this node has ${technologies.join(', ')}`
    }
    if (wanted.gpu) return 'GPUs in confidential mode are not passed through here'
    return vcpuTypeOf(wanted)
      ? null
      : `its measurements are for none of the processors ${snpVcpuTypes.join(', ')}`
  }
}

async function readCertificates(path: string): Promise<Buffer> {
  try {
    return await readFile(path)
  } catch (cause) {
    const { message } = cause as Error
    throw new Error(`ALEPH_VM_CONFIDENTIAL_CERTIFICATES cannot be read: ${message}`, { cause })
  }
}

/** The processor that one of the measurements is for. */
function vcpuTypeOf({ measurements }: TrustedExecution): SnpVcpuType | undefined {
  const wanted = measurements?.map(({ vcpu_type }) => vcpu_type ?? usualVcpuType) ?? []
  return snpVcpuTypes.find((type) => wanted.includes(type))
}

function isSha256(hash: string): boolean {
  return /^[0-9a-f]{64}$/.test(hash)
}
