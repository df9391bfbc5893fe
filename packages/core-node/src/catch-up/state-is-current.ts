import { setTimeout as sleep } from 'node:timers/promises'
import type { CatchUp } from './catch-up.ts'

/** A node whose peers are all away acts on its own state after this long, ms. */
const lonelyPatienceMs = 60_000
/** Messages that cannot be processed yet should not hold everything up, ms. */
const backlogPatienceMs = 15_000
const lookMs = 50

/**
 * Resolves when this node's state is good enough to act on: it followed a peer's log to the end since it started and
 * worked off what it then had to process. Nodes that know no peers have nothing to wait for.
 */
export async function stateIsCurrent(options: {
  catchUp: Pick<CatchUp, 'caughtUpOnce'>
  /** Whether somebody else is there to catch up with. */
  expectsPeers: boolean
  pendingCount: () => number
  signal: AbortSignal
}): Promise<void> {
  const { catchUp, expectsPeers, pendingCount, signal } = options
  if (expectsPeers) {
    const lonely = sleep(lonelyPatienceMs, undefined, { signal, ref: false }).catch(() => {})
    await Promise.race([catchUp.caughtUpOnce, lonely])
  }
  const deadline = Date.now() + backlogPatienceMs
  while (pendingCount() > 0 && Date.now() < deadline && !signal.aborted) {
    await sleep(lookMs, undefined, { signal, ref: false }).catch(() => {})
  }
}
