import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import type { CoreNodeConfig } from '../config.ts'
import { loadHostKey } from '../gossip/host-key.ts'
import { loadOperatorKey } from '../operator-key.ts'
import { printTable } from './print.ts'

/** Shows peer id and operator address, and where their keys are; secrets stay in their files. */
export async function showKeys(config: CoreNodeConfig): Promise<void> {
  await mkdir(config.dataDir, { recursive: true, mode: 0o700 })
  const keyDir = join(config.dataDir, 'keys')
  const peerId = peerIdFromPrivateKey(await loadHostKey(keyDir)).toString()
  const { address } = await loadOperatorKey(config.privateKeyFile)
  printTable([
    ['peer id', peerId, keyDir],
    ['operator', address, config.privateKeyFile],
  ])
}
