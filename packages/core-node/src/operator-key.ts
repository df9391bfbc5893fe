import { randomBytes } from 'node:crypto'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { evmAddress } from '@aleph-ts/protocol'
import { ConfigError, type CoreNodeConfig } from './config.ts'

/** The EVM key this node signs its own messages and allocation requests with. */
export interface OperatorKey {
  /** EIP-55 address. */
  address: string
  privateKey: Uint8Array
}

/**
 * Loads the operator's key from a file of 64 hex digits (`0x` allowed), or creates it, readable by its owner only.
 *
 * @throws {ConfigError} when the file holds something else
 */
export async function loadOperatorKey(path: string): Promise<OperatorKey> {
  const privateKey = (await readKey(path)) ?? (await createKey(path))
  return { address: evmAddress(privateKey), privateKey }
}

/**
 * The key with which this node speaks for the network where the profile names its address; by default the operator's.
 *
 * @throws {ConfigError} when the file holds no key
 */
export async function loadPublisherKey(
  { publisherKeyFile }: Pick<CoreNodeConfig, 'publisherKeyFile'>,
  operatorKey: OperatorKey,
): Promise<OperatorKey> {
  return publisherKeyFile ? loadOperatorKey(publisherKeyFile) : operatorKey
}

async function readKey(path: string): Promise<Uint8Array | undefined> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
  const hex = text.trim().replace(/^0x/, '')
  if (!/^[0-9a-fA-F]{64}$/.test(hex)) {
    throw new ConfigError(`${path} is not a private key: it must hold 64 hexadecimal digits`)
  }
  return Uint8Array.from(Buffer.from(hex, 'hex'))
}

async function createKey(path: string): Promise<Uint8Array> {
  const key = randomBytes(32)
  await mkdir(dirname(path), { recursive: true })
  try {
    await writeFile(path, `0x${key.toString('hex')}\n`, { mode: 0o600, flag: 'wx' })
    return Uint8Array.from(key)
  } catch (error) {
    // Another process of this node was quicker.
    const theirs = (error as NodeJS.ErrnoException).code === 'EEXIST' && (await readKey(path))
    if (theirs) return theirs
    throw error
  }
}
