import type { Logger } from 'pino'
import type { GuestLink, Machine } from '../hypervisor/index.ts'

/** How long a guest may take beyond its grace to power off before it is killed. */
const powerOffMs = 500

/** Asks a running guest to power off and gives it so long; the caller kills what is left. */
export async function endGently(
  { machine, link }: { machine: Machine; link: GuestLink | null },
  graceMs: number,
  log: Logger,
): Promise<void> {
  const asked = link
    ? link.control('halt', { grace: String(Math.ceil(graceMs / 1000)) })
    : machine.powerDown()
  // A guest too broken to be asked is killed.
  asked.catch((error) => log.debug({ err: error }, 'a guest was not asked to end'))
  await Promise.race([machine.exited, delay(graceMs + powerOffMs)])
}

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms).unref())
}
