import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from 'pino'
import type { GuestLink, Machine } from '../hypervisor/index.ts'
import { programExited } from './start-attempt.ts'

const channelLossMs = 1000

/** Hears that a machine is lost, and why: a stable code, and words for people. May be told more than once. */
export type OnLost = (code: string, message: string) => void

/** Notices a machine's end, its program's end and the loss of its channel, until the answer is called. */
export function watchMachine(
  { machine, link }: { machine: Machine; link: GuestLink | null },
  log: Logger,
  onLost: OnLost,
): () => void {
  let isWatching = true
  const lost: OnLost = (code, message) => {
    if (isWatching) onLost(code, message)
  }
  const onEvent = (verb: string, fields: Record<string, string | string[]>) => {
    if (verb === 'exited') lost('program_exited', programExited(fields).message)
  }
  // A broken channel also closes, and that is acted upon below.
  const onError = (error: Error) => log.debug({ err: error }, 'guest channel')
  const onClose = async () => {
    // Nearly always because the machine ends, which is then the better explanation.
    await Promise.race([machine.exited, sleep(channelLossMs, undefined, { ref: false })])
    lost('guest_failed', 'the guest closed its channel')
  }
  link?.on('event', onEvent)
  link?.on('error', onError)
  link?.on('close', onClose)
  machine.exited.then(({ byGuest, reason }) => lost(byGuest ? 'guest_ended' : 'hypervisor_failed', reason))
  return () => {
    isWatching = false
    link?.off('event', onEvent)
    link?.off('error', onError)
    link?.off('close', onClose)
  }
}
