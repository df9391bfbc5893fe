import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { EthereumAccount } from '@aleph-ts/sdk'

/** Who runs a core node: the key file is the node's own, so node and operator sign as one. */
export interface Operator {
  account: EthereumAccount
  keyFile: string
  /** Somebody who stakes on the node. */
  staker: EthereumAccount
}

/** The operator of the core node that lives in `nodeDir`; created with its keys at first start. */
export function operatorOf(nodeDir: string): Operator {
  const keyFile = join(nodeDir, 'operator.key')
  return { account: accountOf(keyFile), keyFile, staker: accountOf(join(nodeDir, 'staker.key')) }
}

/** Writes a key where a node can read it, and nobody else. */
export function writeKeyFile(file: string, privateKey: string): string {
  writeFileSync(file, `${privateKey}\n`, { mode: 0o600 })
  return file
}

function accountOf(keyFile: string): EthereumAccount {
  if (!existsSync(keyFile)) {
    mkdirSync(join(keyFile, '..'), { recursive: true })
    writeKeyFile(keyFile, `0x${randomBytes(32).toString('hex')}`)
  }
  return EthereumAccount.fromPrivateKey(readFileSync(keyFile, 'utf8').trim())
}
