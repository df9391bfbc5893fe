import { isDeepStrictEqual } from 'node:util'
import type { Logger } from 'pino'
import type { TapLinks } from '../../network/index.ts'
import type { GpuDevice, VmInfo } from '../../supervisor/index.ts'
import type { Sessions } from '../confidential/sessions.ts'
import type { MessageSource } from '../core-nodes/message-source.ts'
import { AgentError } from '../errors.ts'
import type { Gpus } from '../gpu/gpus.ts'
import { startRefusal } from '../start-refusal.ts'
import type { VmHost } from '../vm-host.ts'
import type { VolumeStore } from '../volumes/volume-store.ts'
import type { WorkloadHost } from '../workloads.ts'
import type { Backups } from './backups.ts'
import type { InstanceLoader } from './instance-loader.ts'
import type { ParentImages } from './parent-images.ts'
import type { PortStore } from './port-store.ts'
import { wantedPorts } from './wanted-ports.ts'

/** What a system gets to shut down before its machine is switched off (protocol 05 §7.5). */
const STOP_GRACE_MS = 50_000

export interface InstanceHostOptions {
  loader: InstanceLoader
  vms: VmHost
  ports: PortStore
  /** Null: instances have no links. */
  links: TapLinks | null
  volumes: VolumeStore
  parents: ParentImages
  backups: Backups
  gpus: Gpus
  sessions: Sessions
  messages: MessageSource
  /** Whether the instance is leaving for another node, or has left. */
  isAway: (hash: string) => boolean
  logger: Logger
}

/** Full virtual machines that run or should run. */
export class InstanceHost implements WorkloadHost {
  readonly #options: InstanceHostOptions
  readonly #starting = new Map<string, Promise<void>>()

  constructor(options: InstanceHostOptions) {
    this.#options = options
  }

  /** Simultaneous calls share one start. */
  async ensureRunning(hash: string): Promise<void> {
    let starting = this.#starting.get(hash)
    if (!starting) {
      starting = this.#start(hash).finally(() => this.#starting.delete(hash))
      this.#starting.set(hash, starting)
    }
    return starting
  }

  async #start(hash: string): Promise<void> {
    const { vms, loader, ports, logger } = this.#options
    if (vms.get(hash)?.state === 'running') return
    if (this.#options.isAway(hash)) {
      throw new AgentError('conflict', 'The instance is being moved to another node; it does not start here')
    }
    let taken: { gpus: GpuDevice[]; release: () => void } | null = null
    try {
      const spec = await loader.load(hash)
      const content = await loader.content(hash)
      const wanted = (await this.#wanted(hash, content.address)) ??
        vms.get(hash)?.forwards ?? [{ guest: 22, tcp: true, udp: false }]
      const forwards = await ports.assign(hash, wanted)
      taken = this.#options.gpus.take(hash, content)
      const gpus = taken.gpus.map(({ pciAddress, deviceClass, vfioGroup }) => ({
        pciAddress,
        deviceClass,
        vfioGroup,
      }))
      await vms.ensureRunning({ ...spec, forwards, ...(gpus.length > 0 && { gpus }) })
      logger.info({ hash, forwards }, 'instance runs')
    } catch (error) {
      throw startRefusal(error)
    } finally {
      taken?.release()
    }
  }

  /** Lets the system shut down; a system that does not is switched off. */
  async stop(hash: string): Promise<void> {
    if (this.#find(hash)) await this.#options.vms.stop(hash, STOP_GRACE_MS)
  }

  /** Stops it and deletes its root disk, and its volumes if wanted; its ports stay its own. */
  async reset(hash: string, what: { volumes: boolean }): Promise<void> {
    const { vms, volumes } = this.#options
    if (!this.#find(hash)) return
    await vms.stop(hash, 0)
    await volumes.remove(hash, what.volumes ? undefined : (name) => name.startsWith('rootfs.'))
    await this.#pruneParents()
  }

  /** Leaves nothing, the root disk included (protocol 05 §23 I4). */
  async erase(hash: string): Promise<void> {
    const { vms, volumes, ports, links, backups, sessions } = this.#options
    if (vms.get(hash)?.type === 'program') return
    await vms.destroy(hash)
    await volumes.remove(hash)
    await backups.removeAll(hash)
    await sessions.remove(hash)
    await ports.release(hash)
    await links?.release(hash)
    await this.#pruneParents()
  }

  /** Forwards what the owner wants forwarded; what cannot be read changes nothing. `maxAgeMs`: of what is known of it. */
  async refreshPorts(hash: string, maxAgeMs?: number): Promise<void> {
    const { vms, ports, loader } = this.#options
    const info = this.#find(hash)
    if (info?.state !== 'running') return
    const { address } = await loader.content(hash)
    const wanted = await this.#wanted(hash, address, maxAgeMs)
    const open = info.forwards?.map(({ guest, tcp, udp }) => ({ guest, tcp, udp }))
    if (wanted && !isDeepStrictEqual(wanted, open))
      await vms.setForwards(hash, await ports.assign(hash, wanted))
  }

  #wanted(hash: string, owner: string, maxAgeMs?: number) {
    return wantedPorts(hash, owner, this.#options.messages, this.#options.logger, maxAgeMs)
  }

  #find(hash: string): VmInfo | undefined {
    const info = this.#options.vms.get(hash)
    return info?.type === 'instance' ? info : undefined
  }

  async #pruneParents(): Promise<void> {
    const { vms, loader, parents } = this.#options
    const instances = vms.list().filter(({ type }) => type === 'instance')
    const used = await Promise.all(instances.map(({ id }) => loader.parentsOf(id)))
    await parents.prune(new Set(used.flat()))
  }
}
