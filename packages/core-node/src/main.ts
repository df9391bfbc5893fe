#!/usr/bin/env node
import { parseArgs } from 'node:util'
import { ApiNode } from './api-node.ts'
import { ConfigError, type CoreNodeConfig, configFromEnvironment } from './config.ts'
import { CoreNode } from './core-node.ts'

/** `--role` stands before `ALEPH_CORE_ROLE`. */
function readConfig(): CoreNodeConfig {
  const { values } = parseArgs({ options: { role: { type: 'string' } } })
  return configFromEnvironment({ ...process.env, ...(values.role && { ALEPH_CORE_ROLE: values.role }) })
}

async function main(): Promise<void> {
  const config = readConfig()
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
  process.stdout.write(
    `${JSON.stringify({ ready: true, role: config.role ?? 'all', url, ...network, version })}\n`,
  )
}

try {
  await main()
} catch (error) {
  process.stderr.write(`${error instanceof ConfigError ? error.message : (error as Error).stack}\n`)
  process.exit(1)
}
