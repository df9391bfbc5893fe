import { createECDH, randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { evmAddress } from '@aleph-ts/protocol'
import { writeFileAtomically } from '../allocations/state-file.ts'

/** The node's own Ethereum key, with which it signs what its programs ask it to. Made at first use. */
export interface NodeKey {
  privateKey: Uint8Array
  address: string
  /** Both coordinates of the public key: `0x` and 128 hex digits. */
  publicKey: string
}

/** Reads the key of this node, or makes it. Throws when the file is damaged. */
export async function loadNodeKey(path: string): Promise<NodeKey> {
  const stored = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null
    throw error
  })
  const hex = stored?.trim() ?? randomBytes(32).toString('hex')
  if (!/^[0-9a-f]{64}$/.test(hex)) throw new Error(`${path} holds no private key of 64 hex digits`)
  if (stored === null) await writeFileAtomically(path, `${hex}\n`)
  const privateKey = Buffer.from(hex, 'hex')
  return { privateKey, address: evmAddress(privateKey), publicKey: publicKeyOf(privateKey) }
}

function publicKeyOf(privateKey: Uint8Array): string {
  const exchange = createECDH('secp256k1')
  exchange.setPrivateKey(privateKey)
  return `0x${exchange.getPublicKey().subarray(1).toString('hex')}`
}
