import { randomBytes } from 'node:crypto'
import type { GuestLink } from '../hypervisor/index.ts'

const reseedBytes = 64

/** Makes a clone unlike its siblings: fresh randomness and the right time (protocol 05 §21.6). */
export async function awaken(link: GuestLink): Promise<void> {
  await Promise.all([
    link.control('reseed', { entropy: randomBytes(reseedBytes).toString('hex') }),
    setClock(link),
  ])
}

/** Gives the guest the time of now. */
export function setClock(link: GuestLink): Promise<void> {
  return link.control('settime', { time: (Date.now() / 1000).toFixed(6) })
}
