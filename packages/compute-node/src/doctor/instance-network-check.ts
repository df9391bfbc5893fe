import type { ComputeNodeConfig } from '../config.ts'
import { missingForTaps } from '../network/index.ts'
import { type Finding, fail, ok, warn } from './check.ts'

const check = 'instance network'

/** How instances would be connected, and what taps still lack here. */
export async function checkInstanceNetwork({ network }: ComputeNodeConfig): Promise<Finding> {
  const missing = await missingForTaps(network.uplink)
  if (network.mode === 'user') {
    const hint = missing.length === 0 ? '; taps would work here: ALEPH_VM_NETWORK=tap' : ''
    return ok(check, `of QEMU's own: instances have forwarded ports and no addresses${hint}`)
  }
  if (missing.length === 0) return ok(check, `taps ${network.tapPrefix}*, addresses of ${network.ipv4Pool}`)
  const text = `no taps: ${missing.join('; ')}`
  return network.mode === 'tap' ? fail(check, text) : warn(check, text)
}
