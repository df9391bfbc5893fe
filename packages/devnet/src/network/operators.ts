import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { EthereumAccount } from '@aleph-ts/sdk'

/** Who runs a core node: the key file is the node's own, so node and operator sign as one. */
export interface Operator {
  account: EthereumAccount
  keyFile: string
}

/** The operator of the core node that lives in `nodeDir`; created with its key at first start. */
export function operatorOf(nodeDir: string): Operator {
  const keyFile = join(nodeDir, 'operator.key')
  if (!existsSync(keyFile)) {
    mkdirSync(nodeDir, { recursive: true })
    writeFileSync(keyFile, `0x${randomBytes(32).toString('hex')}\n`, { mode: 0o600 })
  }
  return { account: EthereumAccount.fromPrivateKey(readFileSync(keyFile, 'utf8').trim()), keyFile }
}
