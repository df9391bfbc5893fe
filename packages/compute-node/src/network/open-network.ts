import type { Logger } from 'pino'
import { NetworkError } from './network-error.ts'
import { missingForTaps } from './requirements.ts'
import { TapNetwork, type TapNetworkOptions } from './tap-network.ts'

/** `user`: QEMU's own, without rights; `tap`: the host's, as root; `auto`: `tap` where it works. */
export type NetworkMode = 'user' | 'tap' | 'auto'

/** Null: every guest has a network of its hypervisor's making. Throws NetworkError where taps are wanted and do not work. */
export async function openNetwork(
  mode: NetworkMode,
  options: TapNetworkOptions,
  log: Logger,
): Promise<TapNetwork | null> {
  if (mode === 'user') return null
  const missing = await missingForTaps(options.uplink)
  if (missing.length === 0) return TapNetwork.create(options)
  if (mode === 'tap') throw new NetworkError(`ALEPH_VM_NETWORK=tap: ${missing.join('; ')}`)
  log.info({ missing }, 'no taps here: guests get user-mode networking')
  return null
}
