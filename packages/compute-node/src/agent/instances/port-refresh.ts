import type { Logger } from 'pino'
import type { VmHost } from '../vm-host.ts'

export interface PortRefreshOptions {
  vms: VmHost
  /** Forwards what the instance's owner wants forwarded now. */
  refresh: (hash: string) => Promise<void>
  logger: Logger
}

/**
 * Gives every instance that runs the ports its owner wants forwarded now, also when nobody told the node to look
 * (protocol 05 §8.4); one that fails does not keep the others from theirs.
 */
export async function refreshAllPorts(options: PortRefreshOptions, stopping?: AbortSignal): Promise<void> {
  const { vms, refresh, logger } = options
  for (const { id, type, state } of vms.list()) {
    if (type !== 'instance' || state !== 'running' || stopping?.aborted) continue
    await refresh(id).catch((error: Error) =>
      logger.warn({ hash: id, reason: error.message }, 'the ports of an instance stay as they are'),
    )
  }
}
