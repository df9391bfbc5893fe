import { classifyHash, vmHostLabel } from '@aleph-ts/protocol'
import { AgentError } from './errors.ts'

/** Host name of a VM: its hash in base32. Throws AgentError `unsupported` for messages whose hash is a CID. */
export function vmHostName(hash: string): string {
  if (classifyHash(hash) === 'storage') return vmHostLabel(hash)
  throw new AgentError(
    'unsupported',
    `Message ${hash} cannot run: only those with a sha256 as hash can be VMs`,
  )
}
