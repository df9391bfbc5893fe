import { rename } from 'node:fs/promises'
import type { Socket } from 'node:net'
import { join } from 'node:path'
import { GuestChannel } from '@aleph-ts/guest'
import type { Logger } from 'pino'
import {
  type GuestLink,
  HypervisorError,
  type LaunchControl,
  type Machine,
  type MachineExit,
  type MachineRecord,
} from '../hypervisor.ts'
import { anonymousMemory, type HostProcess, killProcess } from '../qemu/host-process.ts'
import { type ApiCall, callApi } from './api-client.ts'
import { machineFiles, powerButtonCall, snapshotCalls, stateCall } from './machine-calls.ts'

/** Where the guest's agent listens (protocol 05 §6.5). */
export const agentVsockPort = 52
const written = { state: 'written-state', memory: 'written-memory' }

export interface FirecrackerMachineParts {
  record: MachineRecord
  host: HostProcess
  /** The machine's folder by a path short enough for sockets. */
  folder: string
  console: Socket
  /** Resolves when the process is gone. */
  ended: Promise<void>
  /** Where a snapshot's memory belongs; null: none can be made. */
  memory: string | null
  log: Logger
  /** Releases what stands on the host once the process is gone. */
  release: () => Promise<void>
}

/** One Firecracker process, a child of ours or adopted. */
export class FirecrackerMachine implements Machine {
  readonly record: MachineRecord
  readonly exited: Promise<MachineExit>
  readonly #parts: FirecrackerMachineParts
  #expected = false
  #detached = false

  constructor(parts: FirecrackerMachineParts) {
    this.#parts = parts
    this.record = parts.record
    this.exited = this.#watch()
  }

  get launchControl(): LaunchControl {
    throw new HypervisorError('hypervisor_failed', 'Firecracker has no confidential machines')
  }

  async connect(timeoutMs: number): Promise<GuestLink> {
    const controlTimeoutMs = Math.max(timeoutMs, 30_000)
    const vsockPort = agentVsockPort
    return GuestChannel.connect(this.#path(machineFiles.vsock), { timeoutMs, controlTimeoutMs, vsockPort })
  }

  async snapshot(statePath: string): Promise<void> {
    const { memory } = this.#parts
    if (memory === null) throw new HypervisorError('hypervisor_failed', 'this machine keeps no memory file')
    for (const call of snapshotCalls(written.state, written.memory)) await this.#call(call)
    await rename(this.#path(written.memory), memory)
    await rename(this.#path(written.state), statePath)
  }

  pause(): Promise<void> {
    return this.#call(stateCall('Paused'))
  }

  resume(): Promise<void> {
    return this.#call(stateCall('Resumed'))
  }

  ownMemory(): Promise<number> {
    return anonymousMemory(this.#parts.host.pid)
  }

  powerDown(): Promise<void> {
    return this.#call(powerButtonCall)
  }

  async setForwards(): Promise<void> {
    throw new HypervisorError('hypervisor_failed', 'Machines of Firecracker have no network here')
  }

  async kill(): Promise<void> {
    this.#expected = true
    const { host } = this.#parts
    if (!(await killProcess(host))) {
      throw new HypervisorError('hypervisor_failed', `Firecracker process ${host.pid} cannot be killed`)
    }
    await this.exited
  }

  detach(): void {
    this.#detached = true
    this.#parts.console.destroy()
  }

  async #watch(): Promise<MachineExit> {
    const { ended, console, release, log } = this.#parts
    await ended
    // Of a machine that was let go nobody wants to know.
    if (this.#detached) return new Promise(() => {})
    console.destroy()
    await release().catch((error) => log.error({ err: error }, 'the files of a machine could not be removed'))
    return { expected: this.#expected, byGuest: false, reason: 'the Firecracker process ended' }
  }

  #call(call: ApiCall): Promise<void> {
    return callApi(this.#path(machineFiles.api), call)
  }

  #path(name: string): string {
    return join(this.#parts.folder, name)
  }
}
