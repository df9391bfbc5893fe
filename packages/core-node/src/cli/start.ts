import { ApiNode } from '../api-node.ts'
import { type CoreNodeConfig, withRole } from '../config.ts'
import { CoreNode } from '../core-node.ts'

/** Runs a node, or the part of it that is its role, until it is told to stop; prints one JSON line when it is ready. */
export async function start(given: CoreNodeConfig, options: { role?: string } = {}): Promise<void> {
  const config = withRole(given, options.role ?? given.role ?? 'all')
  const node = config.role === 'api' ? await ApiNode.create(config) : await CoreNode.create(config)
  const stop = async (signal: NodeJS.Signals) => {
    node.context.logger.info({ signal }, 'stopping')
    await node.stop()
    process.exit(0)
  }
  process.once('SIGTERM', stop)
  process.once('SIGINT', stop)
  await node.start()
  const { url, version } = node
  const network =
    node instanceof CoreNode
      ? { peerId: node.peerId, multiaddrs: node.multiaddrs, address: node.address }
      : {}
  process.stdout.write(`${JSON.stringify({ ready: true, role: config.role, url, ...network, version })}\n`)
}
