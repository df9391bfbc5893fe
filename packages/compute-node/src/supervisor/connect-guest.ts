import type { GuestLink, Machine } from '../hypervisor/index.ts'
import { VmStartError, type VmStartErrorCode } from './vm-errors.ts'
import { whileAlive } from './while-alive.ts'

/**
 * Opens the channel to a machine's guest agent.
 *
 * @throws VmStartError `onTimeout` when it does not answer within `timeoutMs`, `hypervisor_failed` when the
 *   machine dies; the signal's reason when it aborts.
 */
export async function connectGuest(
  machine: Machine,
  signal: AbortSignal,
  timeoutMs: number,
  onTimeout: VmStartErrorCode,
): Promise<GuestLink> {
  try {
    return await whileAlive(machine, signal, machine.connect(timeoutMs))
  } catch (error) {
    if (error instanceof VmStartError || signal.aborted) throw error
    const reason = error instanceof Error ? error.message : String(error)
    throw new VmStartError(onTimeout, `the guest did not answer in ${timeoutMs} ms: ${reason}`, {
      cause: error,
    })
  }
}
