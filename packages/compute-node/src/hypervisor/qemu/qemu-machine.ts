import { once } from 'node:events'
import type { Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { GuestChannel } from '@aleph-ts/guest'
import type { Logger } from 'pino'
import type { Forward, GuestLink, LaunchControl, Machine, MachineExit, MachineRecord } from '../hypervisor.ts'
import { HypervisorError } from '../hypervisor.ts'
import { forwardRules, networkId } from './disk-machine.ts'
import { anonymousMemory, type HostProcess, isAlive, killProcess, waitUntilGone } from './host-process.ts'
import { saveDeviceState } from './migration.ts'
import type { QmpClient } from './qmp-client.ts'
import type { LaunchPaths } from './run-directory.ts'
import { SevLaunch } from './sev-launch.ts'

/** How long a QEMU that closed its control socket may take to be gone. */
const exitGraceMs = 1000
const consoleDrainMs = 200

/** The parts of a running QEMU, however we came by it. */
export interface QemuMachineParts {
  record: MachineRecord
  host: HostProcess
  paths: LaunchPaths
  qmp: QmpClient
  console: Socket
  /** To the guest's channel, when it was connected before the guest ran; the first `connect` takes it. */
  channel?: Socket
  log: Logger
  /** Releases what stands on the host once the process is gone. */
  release: () => Promise<void>
  /** Last words on standard error. */
  lastWords: () => string
}

/** One QEMU process, a child of ours or adopted: its end shows in the control socket closing. */
export class QemuMachine implements Machine {
  readonly record: MachineRecord
  readonly exited: Promise<MachineExit>
  readonly launchControl: LaunchControl
  readonly #parts: QemuMachineParts
  #expected = false
  #detached = false
  #shutdownReason = ''

  constructor(parts: QemuMachineParts) {
    this.#parts = parts
    this.record = parts.record
    this.launchControl = new SevLaunch(parts.qmp)
    parts.qmp.on('event', (name, data) => {
      if (name === 'SHUTDOWN') this.#shutdownReason = String(data.reason ?? '')
    })
    this.exited = new Promise((resolve) => {
      const gone = () => {
        if (!this.#detached) this.#finish().then(resolve)
      }
      if (parts.qmp.closed) gone()
      else parts.qmp.once('close', gone)
    })
  }

  async connect(timeoutMs: number): Promise<GuestLink> {
    // Starting a runtime, which a control verb may do, takes longer than a boot.
    const controlTimeoutMs = Math.max(2 * timeoutMs, 30_000)
    const { channel, paths } = this.#parts
    delete this.#parts.channel
    if (channel && !channel.destroyed) return GuestChannel.over(channel, { timeoutMs, controlTimeoutMs })
    return GuestChannel.connect(paths.channel, { timeoutMs, controlTimeoutMs })
  }

  async snapshot(statePath: string): Promise<void> {
    await saveDeviceState(this.#parts.qmp, this.#parts.paths.migration, statePath)
  }

  async pause(): Promise<void> {
    await this.#parts.qmp.execute('stop')
  }

  async resume(): Promise<void> {
    await this.#parts.qmp.execute('cont')
  }

  ownMemory(): Promise<number> {
    return anonymousMemory(this.#parts.host.pid)
  }

  async powerDown(): Promise<void> {
    await this.#parts.qmp.execute('system_powerdown')
  }

  async setForwards(host: string, former: Forward[], next: Forward[]): Promise<void> {
    const [before, after] = [forwardRules(host, former), forwardRules(host, next)]
    for (const { listen } of before.filter(({ rule }) => !after.some((other) => other.rule === rule))) {
      await this.#monitor(`hostfwd_remove ${networkId} ${listen}`)
    }
    for (const { rule } of after.filter(({ rule }) => !before.some((other) => other.rule === rule))) {
      await this.#monitor(`hostfwd_add ${networkId} ${rule}`)
    }
  }

  /** A command that QEMU has for humans only; it prints its errors. */
  async #monitor(line: string): Promise<void> {
    const answer = await this.#parts.qmp.execute('human-monitor-command', { 'command-line': line })
    const words = String(answer).trim()
    if (words === '' || words.startsWith('host forwarding rule')) return
    throw new HypervisorError('hypervisor_failed', `QEMU does not forward the port (${line}): ${words}`)
  }

  async kill(): Promise<void> {
    this.#expected = true
    if (!(await killProcess(this.#parts.host))) {
      throw new HypervisorError('hypervisor_failed', `QEMU process ${this.#parts.host.pid} cannot be killed`)
    }
    await this.exited
  }

  detach(): void {
    this.#detached = true
    this.#parts.qmp.close()
    this.#parts.console.destroy()
  }

  async #finish(): Promise<MachineExit> {
    const { host, console, release, lastWords, log } = this.#parts
    if (!(await waitUntilGone(host, exitGraceMs))) {
      log.warn({ pid: host.pid }, 'QEMU closed its control socket but lives on; killing it')
      await killProcess(host)
    }
    // What the guest printed last is still to be read; the socket closes with QEMU.
    if (!console.closed) await Promise.race([once(console, 'close'), sleep(consoleDrainMs)])
    console.destroy()
    this.#parts.channel?.destroy()
    await release().catch((error) => log.error({ err: error }, 'the files of a machine could not be removed'))
    const words = lastWords().trim()
    const byGuest = this.#shutdownReason.startsWith('guest-')
    const reason = byGuest
      ? `the guest shut down (${this.#shutdownReason})`
      : `the QEMU process ended${words === '' ? '' : `: ${words}`}`
    return { expected: this.#expected, byGuest, reason }
  }
}

/** Whether the process of a record still lives, and is the one we mean. */
export async function findProcess(record: MachineRecord): Promise<HostProcess | null> {
  if (record.pid === undefined || record.pidStartTicks === undefined) return null
  const host = { pid: record.pid, startTicks: record.pidStartTicks }
  return (await isAlive(host)) ? host : null
}
