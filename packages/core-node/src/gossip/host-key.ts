import { createPrivateKey } from 'node:crypto'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import {
  generateKeyPair,
  privateKeyFromProtobuf,
  privateKeyFromRaw,
  privateKeyToProtobuf,
} from '@libp2p/crypto/keys'
import type { PrivateKey } from '@libp2p/interface'

const ownKeyFile = 'p2p-secret.key'
/** The file the production network's nodes keep their RSA key in. */
const inheritedKeyFile = 'node-secret.pkcs8.der'

/** The key folder holds something that is not a key; the message names the file. */
export class HostKeyError extends Error {
  readonly code = 'invalid_host_key'
}

/**
 * The key behind this node's peer id, from `<keyDir>`: an inherited RSA key in PKCS#8 DER if there is one, else our
 * Ed25519 key, created (mode 0600) at the first start (protocol 04 §11).
 *
 * @throws {HostKeyError} when a key file cannot be read as a key
 */
export async function loadHostKey(keyDir: string): Promise<PrivateKey> {
  const inherited = await readIfPresent(join(keyDir, inheritedKeyFile))
  if (inherited) return decodeKey(join(keyDir, inheritedKeyFile), () => rsaKeyFromPkcs8(inherited))
  const path = join(keyDir, ownKeyFile)
  const own = await readIfPresent(path)
  if (own) return decodeKey(path, () => privateKeyFromProtobuf(own))
  const key = await generateKeyPair('Ed25519')
  await mkdir(keyDir, { recursive: true, mode: 0o700 })
  await writeFile(path, privateKeyToProtobuf(key), { mode: 0o600, flag: 'wx' })
  return key
}

function rsaKeyFromPkcs8(der: Buffer): PrivateKey {
  const key = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' })
  if (key.asymmetricKeyType !== 'rsa')
    throw new Error(`it is a key of type ${key.asymmetricKeyType}, not rsa`)
  return privateKeyFromRaw(key.export({ format: 'der', type: 'pkcs1' }))
}

function decodeKey(path: string, decode: () => PrivateKey): PrivateKey {
  try {
    return decode()
  } catch (error) {
    throw new HostKeyError(
      `${path} is not a usable host key (${(error as Error).message}); restore it, or move it away to get a new peer id`,
      { cause: error },
    )
  }
}

async function readIfPresent(path: string): Promise<Buffer | undefined> {
  try {
    return await readFile(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}
