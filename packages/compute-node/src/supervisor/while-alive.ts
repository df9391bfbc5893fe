import type { Machine } from '../hypervisor/index.ts'
import { VmStartError } from './vm-errors.ts'

/**
 * Awaits `work`, unless the machine dies or the signal aborts first.
 *
 * @throws VmStartError `hypervisor_failed` when the machine dies; the signal's reason when it aborts.
 */
export async function whileAlive<T>(machine: Machine, signal: AbortSignal, work: Promise<T>): Promise<T> {
  const died = machine.exited.then(({ reason }) => {
    throw new VmStartError('hypervisor_failed', reason)
  })
  return unlessAborted(signal, Promise.race([work, died]))
}

/** Awaits `work`, unless the signal aborts first; rejects with the signal's reason then. */
export async function unlessAborted<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  let abandon = () => {}
  const aborted = new Promise<never>((_, reject) => {
    abandon = () => reject(signal.reason)
    signal.addEventListener('abort', abandon, { once: true })
  })
  // Nobody may be waiting for it any more when it fails.
  work.catch(() => {})
  try {
    signal.throwIfAborted()
    return await Promise.race([work, aborted])
  } finally {
    signal.removeEventListener('abort', abandon)
  }
}
