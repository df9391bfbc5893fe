import { stat } from 'node:fs/promises'
import { type HostTool, missingHostTools } from '@aleph-ts/guest'
import { findUplink } from './uplink.ts'

const device = '/dev/net/tun'
const tools: readonly HostTool[] = [
  { tool: 'ip', package: 'iproute2' },
  { tool: 'nft', package: 'nftables' },
]

/** What this host lacks for guests with taps, each with how to mend it; empty: nothing. */
export async function missingForTaps(uplink: string | null): Promise<string[]> {
  const missing: string[] = []
  if (process.getuid?.() !== 0) missing.push('the node must run as root')
  const absent = await missingHostTools(tools)
  for (const { tool, package: name } of absent)
    missing.push(`${tool} is not installed: apt-get install ${name}`)
  if (!absent.some(({ tool }) => tool === 'ip')) {
    await findUplink(uplink).catch((error: Error) => missing.push(error.message))
  }
  const mode = await stat(device).then(
    (found) => found.mode,
    () => null,
  )
  if (mode === null) missing.push(`there is no ${device}: modprobe tun`)
  // As distributions have it: whoever opens it gets no interface but those made for them.
  else if ((mode & 0o006) !== 0o006) missing.push(`VMs' users cannot open ${device}: chmod 0666 ${device}`)
  return missing
}
