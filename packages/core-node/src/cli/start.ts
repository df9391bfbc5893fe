import type { CoreNodeConfig } from '../config.ts'
import { CoreNode } from '../core-node.ts'

/** Runs a node until it is told to stop; prints one JSON line when it is ready. */
export async function start(config: CoreNodeConfig): Promise<void> {
  const node = await CoreNode.create(config)
  const stop = async (signal: NodeJS.Signals) => {
    node.context.logger.info({ signal }, 'stopping')
    await node.stop()
    process.exit(0)
  }
  process.once('SIGTERM', stop)
  process.once('SIGINT', stop)
  await node.start()
  const { url, peerId, multiaddrs, address, version } = node
  process.stdout.write(`${JSON.stringify({ ready: true, url, peerId, multiaddrs, address, version })}\n`)
}
