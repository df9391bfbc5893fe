#!/usr/bin/env node
import { ConfigError, configFromEnvironment } from './config.ts'
import { CoreNode } from './core-node.ts'

async function main(): Promise<void> {
  const node = await CoreNode.create(configFromEnvironment(process.env))
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

try {
  await main()
} catch (error) {
  process.stderr.write(`${error instanceof ConfigError ? error.message : (error as Error).stack}\n`)
  process.exit(1)
}
